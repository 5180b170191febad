"""Ranges and addresses in the API database."""

from collections.abc import Sequence
from typing import Protocol

from kilonova_operator.domain.addressing import (
    AddressCount,
    NetworkHolder,
    NetworkRange,
    NetworkRequest,
)
from kilonova_operator.domain.epoch import Term


class NetworksStore(Protocol):
    """Who holds which range."""

    async def ensure_network(self, term: Term, request: NetworkRequest) -> NetworkRange:
        """Give a network its range; the same one when called again (frozen).

        A network of the same kind, namespace and name left its range behind:
        it is taken over together with its id, its guests and their addresses.

        Raises:
            RangeInUse, PoolExhausted
        """
        ...

    async def find_network(self, network_id: str) -> NetworkRange | None:
        """Return the range a network holds."""
        ...

    async def list_networks(
        self, *, after: str = "", limit: int = 500
    ) -> Sequence[NetworkHolder]:
        """List who holds ranges, by id."""
        ...

    async def release_network(self, term: Term, network_id: str) -> None:
        """Give the range back; may run twice (frozen).

        Raises:
            NetworkInUse: guests still have addresses in it.
        """
        ...

    async def count_addresses(self, network_id: str) -> AddressCount:
        """Count the network's addresses in use and in all."""
        ...
