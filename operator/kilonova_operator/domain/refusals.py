"""Why the databases refuse: errors that are conditions' reasons as well.

::

    KilonovaError
    ├── StaleTerm, DatabaseOwnedByOther    this process may not write there
    ├── DatabaseWentBack                   restored under this process
    ├── PlacementFrozen                    nobody claims or releases for now
    ├── DatabaseUnavailable                no answer; try again later
    ├── ClaimRefused
    │   ├── CapacityExceeded, ConcurrentUpdate, HostUnmapped   try another host
    │   ├── AddressInUse, AddressOutOfRange, NoAddressLeft, NetworkUnknown
    │   ├── DomainExists                   the name's old guest still lives
    │   ├── ServerIsDeleted                a tombstone beats an object
    │   ├── AlreadyPlaced                  it was decided on what is over
    │   ├── QuotaExceeded                  the namespace may not use more
    │   ├── GroupViolated, NumaUnfit       try another host
    │   └── MemberRefused                  one of many that are claimed together
    ├── RangeInUse, NetworkInUse, PoolExhausted
    ├── ProviderInUse, ProviderConflict, ProviderNotFound
    └── BookingOutdated, MappingNotFound, HostInOtherCell
"""

from typing import ClassVar

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.groups import GroupClaim
from kilonova_operator.domain.placement import ServerRef
from kilonova_operator.domain.quota import QuotaExcess
from kilonova_operator.domain.scheduling.numa.describe import describe_guest
from kilonova_operator.domain.scheduling.numa.guest import GuestTopology


class StaleTerm(KilonovaError):
    """Another process has taken a newer term: this one must end itself."""

    def __init__(self, database: str, mine: int, newest: int, holder: str) -> None:
        super().__init__(
            f"term {mine} in database {database} is over: {holder or 'another'} "
            f"holds term {newest}. Nothing was written."
        )


class DatabaseOwnedByOther(KilonovaError):
    """The database belongs to another installation."""

    def __init__(self, database: str, owner: str, mine: str) -> None:
        super().__init__(
            f"database {database} belongs to {owner}, and this is {mine}. Give "
            "this installation a database of its own. If the other one is gone "
            f"for good, run: kilonova-manage db disown {database}"
        )


class DatabaseWentBack(KilonovaError):
    """A backup was restored under this process: what it knows is worth nothing.

    The database is frozen, and the next start puts it right.
    """

    def __init__(self, database: str, message: str) -> None:
        self.database = database
        super().__init__(f"database {database} went back: {message}")


class PlacementFrozen(KilonovaError):
    """Claims, releases and deletes wait until the stores agree again."""

    retryable: ClassVar[bool] = True

    def __init__(self, database: str, why: str, message: str) -> None:
        self.why = why
        super().__init__(f"database {database} is frozen ({why}): {message}")


class DatabaseUnavailable(KilonovaError):
    """The database gave no answer, or none in time. The outcome may be unknown."""

    retryable: ClassVar[bool] = True

    def __init__(self, database: str, what: str) -> None:
        super().__init__(f"database {database} is unavailable: {what}")


class ClaimRefused(KilonovaError):
    """A claim that was not made; nothing of it is left."""

    another_host_may_do: ClassVar[bool] = False


class CapacityExceeded(ClaimRefused):
    """The host has no room left: a faster claim took it."""

    another_host_may_do: ClassVar[bool] = True

    def __init__(
        self, host: str, resource_class: str, *, wanted: int, free: float
    ) -> None:
        self.host = host
        self.resource_class = resource_class
        self.constraint = f"Capacity:{resource_class}"
        super().__init__(
            f"host {host} has {free:g} {resource_class} free, {wanted} are needed"
        )


class ConcurrentUpdate(ClaimRefused):
    """Other claims on the host kept winning."""

    another_host_may_do: ClassVar[bool] = True
    retryable: ClassVar[bool] = True

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(f"host {host} changed during every attempt to claim it")


class HostUnmapped(ClaimRefused):
    """The host has no cell or no inventory yet."""

    another_host_may_do: ClassVar[bool] = True

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(f"host {host} is in no cell, or has not reported yet")


class AddressInUse(ClaimRefused):
    """The address that was asked for belongs to another NIC."""

    def __init__(self, nic: str, address: str, network: str) -> None:
        super().__init__(
            f"address {address} of NIC {nic} is in use in {network}. Choose "
            "another, or leave fixedAddress out."
        )


class AddressOutOfRange(ClaimRefused):
    """The address that was asked for cannot be given in that network."""

    def __init__(self, nic: str, address: str, network: str, cidr: str) -> None:
        super().__init__(
            f"address {address} of NIC {nic} cannot be given in {network} ({cidr}): "
            "it lies outside, or is the network's own or its gateway's."
        )


class NoAddressLeft(ClaimRefused):
    """Every address of the network is given."""

    retryable: ClassVar[bool] = True

    def __init__(self, nic: str, network: str, cidr: str) -> None:
        super().__init__(
            f"{network} ({cidr}) has no free address for NIC {nic}. Delete a "
            "Server, or use another network."
        )


class NetworkUnknown(ClaimRefused):
    """The network holds no range yet; it is tried again when it has one."""

    retryable: ClassVar[bool] = True

    def __init__(self, nic: str, network_id: str) -> None:
        super().__init__(f"network {network_id} of NIC {nic} has no range yet")


class DomainExists(ClaimRefused):
    """A guest of a former Server of this name still lives."""

    retryable: ClassVar[bool] = True

    def __init__(self, server: ServerRef, uuid: str, host: str) -> None:
        self.uuid = uuid
        self.host = host
        super().__init__(
            f"guest {uuid} of a former Server {server} still holds host {host}. "
            "Wait until it is destroyed there, or adopt it by annotation "
            f"compute.kilonova.dev/adopt: {uuid}"
        )


class ServerIsDeleted(ClaimRefused):
    """The Server's delete is recorded: an object that says else is from the past."""

    def __init__(self, server: ServerRef) -> None:
        super().__init__(
            f"Server {server} (uid {server.uid}) was deleted. Create it anew "
            "under the same name to have it again."
        )


class AlreadyPlaced(ClaimRefused):
    """The Server got this host by another claim; look again before the next."""

    retryable: ClassVar[bool] = True

    def __init__(self, server: ServerRef, host: str, attempt: int) -> None:
        super().__init__(
            f"Server {server} (uid {server.uid}) has host {host} already, by "
            f"attempt {attempt}"
        )


class QuotaExceeded(ClaimRefused):
    """The namespace's quota has no room for the Server. It tells of no host."""

    retryable: ClassVar[bool] = True

    _NAMES: ClassVar[dict[str, str]] = {
        "instances": "Servers",
        "cores": "virtual CPUs",
        "ram_mib": "MiB of RAM",
    }

    def __init__(self, namespace: str, excess: QuotaExcess) -> None:
        self.excess = excess
        self.constraint = f"Quota:{excess.resource}"
        super().__init__(
            f"quota of namespace {namespace}: {excess.wanted} more "
            f"{self._NAMES[excess.resource]} are wanted, {excess.used} of "
            f"{excess.limit} are used. Delete a Server, or ask for a larger quota."
        )


class GroupViolated(ClaimRefused):
    """The host's domain would violate the policy of the Server's group."""

    another_host_may_do: ClassVar[bool] = True

    def __init__(self, group: GroupClaim, domain: str, why: str) -> None:
        self.group_uid = group.group_uid
        self.domain = domain
        self.constraint = f"ServerGroup:{group.policy}"
        super().__init__(
            f"server group {group.group_uid} ({group.policy}) does not allow "
            f"{group.topology.lower()} {domain or 'none'}: {why}"
        )


class NumaUnfit(ClaimRefused):
    """The host's NUMA cells have no place left: a faster claim took it."""

    another_host_may_do: ClassVar[bool] = True

    def __init__(self, host: str, guest: GuestTopology) -> None:
        self.host = host
        self.constraint = "NUMATopologyFilter"
        super().__init__(
            f"host {host} has no place in its NUMA cells for {describe_guest(guest)}"
        )


class MemberRefused(ClaimRefused):
    """One of the claims that are made together was refused, so none is made.

    ``refusal.another_host_may_do`` tells whether another host for it may do.
    """

    def __init__(self, server: ServerRef, host: str, refusal: ClaimRefused) -> None:
        self.server = server
        self.host = host
        self.refusal = refusal
        self.constraint = getattr(refusal, "constraint", refusal.reason)
        super().__init__(f"Server {server}: {refusal}")


class ProviderInUse(KilonovaError):
    """A provider, or an inventory of it, that something still hangs on."""

    def __init__(self, provider: str, what: str) -> None:
        super().__init__(f"provider {provider} is in use: {what}")


class ProviderConflict(KilonovaError):
    """A provider of that name is something else."""

    def __init__(self, provider: str, problem: str) -> None:
        super().__init__(f"provider {provider}: {problem}")


class ProviderNotFound(KilonovaError):
    """No provider has that name."""

    def __init__(self, provider: str) -> None:
        super().__init__(f"no provider {provider}")


class MappingNotFound(KilonovaError):
    """No row speaks of that Server."""

    def __init__(self, server_uid: str) -> None:
        super().__init__(f"no mapping of Server uid {server_uid}")


class HostInOtherCell(KilonovaError):
    """A host cannot change its cell while it holds claims."""

    def __init__(self, host: str, cell: str, wanted: str) -> None:
        super().__init__(
            f"host {host} belongs to cell {cell} and still holds claims; it "
            f"cannot join {wanted}. Move or delete its Servers first."
        )


class RangeInUse(KilonovaError):
    """The range overlaps one that is in use."""

    def __init__(self, network: str, cidr: str, holder: str) -> None:
        super().__init__(
            f"range {cidr} of {network} overlaps {holder}. Choose another range, "
            "or leave cidr out to get one from the pool."
        )


class PoolExhausted(KilonovaError):
    """The chart's pool has no range left."""

    retryable: ClassVar[bool] = True

    def __init__(self, network: str, pool: str) -> None:
        super().__init__(
            f"pool {pool} has no range left for {network}. Delete a Network, "
            "give a cidr, or enlarge the pool."
        )


class NetworkInUse(KilonovaError):
    """The network still gives addresses to guests."""

    retryable: ClassVar[bool] = True

    def __init__(self, network: str, addresses: int) -> None:
        self.addresses = addresses
        super().__init__(
            f"{network} still gives {addresses} addresses to guests. Delete "
            "their Servers first."
        )


class BookingOutdated(KilonovaError):
    """The order book has a newer placement of the guest than the one given."""

    def __init__(self, instance_uuid: str, given: int, booked: int) -> None:
        super().__init__(
            f"placement generation {given} of guest {instance_uuid} is older "
            f"than {booked}, which is booked"
        )
