"""Living guests that no Instance speaks of: what they hold is nobody's to give."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Protocol

from kilonova_api.compute_host import ComputeHost

WITH_UNKNOWN_GUESTS = "with_unknown_guests"
"""Index of ComputeHosts: those whose agent names addresses of such guests."""
_ANY = "any"


class HostsByIndex(Protocol):
    """What is needed of the informer of ComputeHosts."""

    def by_index(self, name: str, value: Hashable) -> Iterable[ComputeHost]:
        """Give the hosts that are filed under a value."""
        ...


@dataclass(frozen=True, slots=True)
class UnknownGuests:
    """What agents say of guests that nobody knows."""

    hosts: HostsByIndex

    def list_addresses(self) -> frozenset[str]:
        """List the addresses they have."""
        return frozenset(
            address
            for host in self.hosts.by_index(WITH_UNKNOWN_GUESTS, _ANY)
            if host.status.agent is not None
            for address in host.status.agent.unknown_addresses
        )


def index_unknown_guests(host: ComputeHost) -> tuple[str, ...]:
    """File a host that has such guests: nearly none has, and each claim asks."""
    agent = host.status.agent
    return (_ANY,) if agent is not None and agent.unknown_addresses else ()
