"""Networks for coroutines."""

from functools import partial

from kilonova_operator.domain.addressing import (
    AddressCount,
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
        # is named is put back while frozen; none is chosen then.
        return await self._database.write(
            term,
            partial(networks.ensure_network, request=request),
            while_frozen=request.cidr is not None,
            alone=True,
        )

    async def find_network(self, network_id: str) -> NetworkRange | None:
        """Return the range a network holds."""
        return await self._database.read(
            partial(networks.find_network, network_id=network_id)
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
