"""Networks for coroutines."""

from collections.abc import Sequence
from functools import partial

from kilonova_operator.domain.addressing import (
    AddressCount,
    NetworkHolder,
    NetworkRange,
    NetworkRequest,
)
from kilonova_operator.domain.epoch import Term
from kilonova_operator.storage.sql.api import networks
from kilonova_operator.storage.sql.parts import StorePart


class NetworksPart(StorePart):
    """Ranges and how full they are."""

    async def ensure_network(self, term: Term, request: NetworkRequest) -> NetworkRange:
        """Give a network its range."""
        held = await self.find_network(request.network_id)
        if held is not None:
            return held
        # Alone: two requests at once could take overlapping ranges. A range that
        # was given before is put back while frozen; none is chosen then, and a
        # new object waits until the Instances said whose successor it is.
        return await self._database.write(
            term,
            partial(networks.ensure_network, request=request),
            while_frozen=request.put_back,
            alone=True,
        )

    async def find_network(self, network_id: str) -> NetworkRange | None:
        """Return the range a network holds."""
        return await self._database.read(
            partial(networks.find_network, network_id=network_id)
        )

    async def list_networks(
        self, *, after: str = "", limit: int = 500
    ) -> Sequence[NetworkHolder]:
        """List who holds ranges, by id."""
        return await self._database.read(
            partial(networks.list_networks, after=after, limit=limit)
        )

    async def release_network(self, term: Term, network_id: str) -> None:
        """Give a range back."""
        await self._database.write(
            term, partial(networks.release_network, network_id=network_id)
        )

    async def count_addresses(self, network_id: str) -> AddressCount:
        """Count a network's addresses."""
        return await self._database.read(
            partial(networks.count_addresses, network_id=network_id)
        )
