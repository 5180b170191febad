"""What is asked of the API database about Servers, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from kilonova_operator.domain.groups import GroupClaim
from kilonova_operator.domain.inventory import MEMORY_MB, PCPU, VCPU, ProviderView
from kilonova_operator.domain.quota import QuotaLimits
from kilonova_operator.domain.scheduling.numa.claim import NumaClaim
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement


@dataclass(frozen=True, slots=True)
class ServerRef:
    """A Server: its uid is its identity, its name only its address."""

    uid: str
    namespace: str
    name: str
    namespace_uid: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class NicRequest:
    """A NIC that needs an address; without ``address`` any free one is taken."""

    name: str
    network_id: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class NicClaim:
    """A NIC and what it was given. It keeps both when its Server moves."""

    name: str
    network_id: str
    address: str
    mac: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A scheduling decision as it is kept: the last three of each Server.

    ``record`` is ``Server.status.scheduling`` in its wire form, or the problem
    that stood in the way (domain.servers.obstacles).
    """

    outcome: str
    record: Mapping[str, Any]
    host: str | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """One host for one Server, with everything that must be had together.

    ``placement_generation_floor``: the highest generation that any witness
    (Server.status, Instance, domain) shows. ``attempt`` counts hosts of the
    current build from 1; ``tried_hosts`` are those that failed. A Server that has a
    host gets another by a higher attempt alone.
    ``request_id``: a claim repeated with the same id is answered, not doubled.
    ``shared``: what is claimed of other providers than the host's, by name.
    ``zone`` is the chosen host's. ``vcpus`` and ``ram_mib`` are the flavor's, as
    the quota counts them; without them the amounts' are taken.
    """

    server: ServerRef
    host: str
    amounts: Mapping[str, int]
    nics: tuple[NicRequest, ...] = ()
    object_generation: int = 0
    instance_uuid: str | None = None
    placement_generation_floor: int = 0
    attempt: int = 1
    tried_hosts: tuple[str, ...] = ()
    decision: DecisionRecord | None = None
    held_addresses: frozenset[str] = frozenset()
    """Addresses of living guests that nobody knows: given to no NIC."""
    shared: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    quota: QuotaLimits | None = None
    group: GroupClaim | None = None
    zone: str = ""
    vcpus: int | None = None
    ram_mib: int | None = None
    numa: NumaClaim | None = None
    """What is asked of the host's NUMA cells; the place there comes with the claim."""
    request_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that holds: host, amounts and addresses belong to the Server.

    ``provider`` is the host's use with this claim in it, where it was just made,
    and with the others that were committed together with it.
    """

    server: ServerRef
    instance_uuid: str
    cell: str
    host: str
    placement_generation: int
    amounts: Mapping[str, int]
    nics: tuple[NicClaim, ...]
    attempt: int = 1
    tried_hosts: tuple[str, ...] = ()
    shared: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    group_uid: str | None = None
    zone: str = ""
    numa: NumaPlacement | None = None
    provider: ProviderView | None = None


@dataclass(frozen=True, slots=True)
class HeldClaim:
    """What one placement of a Server still holds on a host."""

    server_uid: str
    placement_generation: int
    host: str
    amounts: Mapping[str, int]
    shared: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    numa: NumaPlacement | None = None


@dataclass(frozen=True, slots=True)
class NumaHold:
    """The cells, CPUs and pages that one placement of a Server holds on a host."""

    server_uid: str
    placement_generation: int
    host: str
    placement: NumaPlacement


@dataclass(frozen=True, slots=True)
class InstanceMapping:
    """Where a Server is. ``cell`` "cell0" and no host: it fitted nowhere.

    ``queued_for_delete``: its delete is recorded, its host has not yet proven
    the guest gone. ``retained``: its Server was deleted with policy Retain; the
    guest goes on, holds what it holds, and can be adopted.
    """

    server: ServerRef
    instance_uuid: str
    cell: str
    host: str | None
    placement_generation: int
    object_generation: int
    attempt: int
    tried_hosts: tuple[str, ...]
    queued_for_delete: bool
    retained: bool
    created_at: datetime
    updated_at: datetime
    group_uid: str | None = None
    zone: str = ""
    vcpus: int = 0
    ram_mib: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """A Server that has a host, in the words a scheduler starts from."""

    server_uid: str
    host: str
    group_uid: str | None
    zone: str


@dataclass(frozen=True, slots=True)
class BuryRequest:
    """A Server that fits nowhere, parked in cell0 until a host fits."""

    server: ServerRef
    object_generation: int
    decision: DecisionRecord | None = None
    instance_uuid: str | None = None
    placement_generation_floor: int = 0


@dataclass(frozen=True, slots=True)
class Released:
    """What a release gave back. ``finished``: the Server's rows are gone too.

    ``claims_left``: placements of the Server that still hold something, because
    their hosts have not yet proven the guest gone. ``providers``: the hosts' use
    without what was given back.
    """

    given_back: tuple[HeldClaim, ...]
    claims_left: tuple[HeldClaim, ...]
    finished: bool
    providers: tuple[ProviderView, ...] = ()


@dataclass(frozen=True, slots=True)
class WitnessedClaim:
    """What an Instance or a host's report says a Server holds.

    ``deleted``: the witness carries a destroy order because its Server was
    deleted; an order because it moved is no such word. ``vcpus`` and ``ram_mib``
    are the flavor's, as the quota counts them; without them the amounts' are taken.
    """

    server: ServerRef
    instance_uuid: str
    host: str
    placement_generation: int
    amounts: Mapping[str, int]
    nics: tuple[NicClaim, ...] = ()
    shared: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    object_generation: int = 0
    deleted: bool = False
    group_uid: str | None = None
    zone: str = ""
    numa: NumaPlacement | None = None
    vcpus: int | None = None
    ram_mib: int | None = None


@dataclass(frozen=True, slots=True)
class RestoredClaim:
    """What a witness changed. ``lost_nics``: their addresses have other holders."""

    changed: bool
    lost_nics: tuple[NicClaim, ...] = ()


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted Server: no object with this uid may ever be built again."""

    server: ServerRef
    deleted_at: datetime


def build_quota_amounts(amounts: Mapping[str, int]) -> tuple[int, int]:
    """Return virtual CPUs, dedicated ones among them, and RAM in MiB."""
    vcpus = amounts.get(VCPU, 0) + amounts.get(PCPU, 0)
    return vcpus, amounts.get(MEMORY_MB, 0)


@dataclass(frozen=True, slots=True)
class CellMapping:
    """A cell as the API database knows it."""

    name: str
    uuid: str
    enabled: bool
    database_id: str


@dataclass(frozen=True, slots=True)
class HostMapping:
    """The cell of a host."""

    host: str
    cell: str
