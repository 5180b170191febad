"""Ranges and addresses in the API database."""

from typing import Protocol

from kilonova_operator.domain.addressing import (
    AddressCount,
    NetworkRange,
    NetworkRequest,
)
from kilonova_operator.domain.epoch import Term


class NetworksStore(Protocol):
    """Who holds which range."""

    async def ensure_network(self, term: Term, request: NetworkRequest) -> NetworkRange:
        """Give a network its range; the same one when called again (frozen).

        Raises:
            RangeInUse, PoolExhausted
        """
        ...

    async def find_network(self, network_id: str) -> NetworkRange | None:
        """Return the range a network holds."""
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
