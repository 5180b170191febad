"""Cells, hosts and inventories for coroutines."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from sqlalchemy.orm import Session

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.inventory import Inventory, ProviderView
from kilonova_operator.domain.placement import CellMapping, HostMapping
from kilonova_operator.storage.sql.api import cells, providers
from kilonova_operator.storage.sql.parts import StorePart


class HostsPart(StorePart):
    """Cells, hosts and inventories. What is so already is not written again."""

    async def ensure_cell_mapping(
        self, term: Term, name: str, *, enabled: bool = True, database_id: str = ""
    ) -> CellMapping:
        """Make or update a cell's mapping."""
        found = await self._database.read(partial(cells.find_cell, name=name))
        wanted = (enabled, database_id)
        if found is not None and (found.enabled, found.database_id) == wanted:
            return found
        return await self._database.write(
            term,
            partial(
                cells.ensure_cell, name=name, enabled=enabled, database_id=database_id
            ),
            while_frozen=True,
        )

    async def list_cell_mappings(self) -> Sequence[CellMapping]:
        """List all cells."""
        return await self._database.read(cells.list_cells)

    async def ensure_host_mapping(self, term: Term, host: str, cell: str) -> None:
        """Put a host into a cell."""
        found = await self._database.read(partial(cells.find_host_cell, host=host))
        if found != cell:
            await self._database.write(
                term,
                partial(cells.ensure_host, host=host, cell=cell),
                while_frozen=True,
            )

    async def list_host_mappings(self) -> Sequence[HostMapping]:
        """List all hosts."""
        return await self._database.read(cells.list_hosts)

    async def set_inventory(
        self, term: Term, host: str, inventories: Mapping[str, Inventory]
    ) -> ProviderView:
        """Replace a host's inventories."""
        found = await self._database.read(partial(providers.find_view, host=host))
        if found is not None and _is_so(found, inventories):
            return found

        def write(session: Session) -> ProviderView:
            return providers.set_host_inventory(session, host, inventories)

        return await self._database.write(term, write, while_frozen=True)

    async def list_provider_views(
        self, hosts: Collection[str] | None = None
    ) -> Sequence[ProviderView]:
        """List hosts with inventories and use; all of them if none is named."""
        views = await self._database.read(
            partial(providers.read_host_views, hosts=hosts)
        )
        return tuple(views.values())


def _is_so(found: ProviderView, wanted: Mapping[str, Inventory]) -> bool:
    """Tell whether the inventories are as wanted, but for closed classes in use."""
    closed = {
        name
        for name in found.inventories.keys() - wanted.keys()
        if found.used.get(name) and found.inventories[name] == Inventory(total=0)
    }
    kept = {n: i for n, i in found.inventories.items() if n not in closed}
    return kept == dict(wanted)
