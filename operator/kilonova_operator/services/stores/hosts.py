"""Cells and hosts in the API database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.inventory import Inventory, ProviderView
from kilonova_operator.domain.placement import CellMapping, HostMapping


class HostsStore(Protocol):
    """Which cells and hosts there are, and what hosts have."""

    async def ensure_cell_mapping(
        self, term: Term, name: str, *, enabled: bool = True, database_id: str = ""
    ) -> CellMapping:
        """Make or update a cell's mapping; cell0 has the uuid of zeros."""
        ...

    async def list_cell_mappings(self) -> Sequence[CellMapping]:
        """List all cells, by name."""
        ...

    async def ensure_host_mapping(self, term: Term, host: str, cell: str) -> None:
        """Put a host into a cell.

        Raises:
            HostInOtherCell: it is in another one and holds claims.
        """
        ...

    async def list_host_mappings(self) -> Sequence[HostMapping]:
        """List all hosts, by name."""
        ...

    async def set_inventory(
        self, term: Term, host: str, inventories: Mapping[str, Inventory]
    ) -> ProviderView:
        """Replace a mapped host's inventories; nothing is written if they are so.

        Raises:
            HostUnmapped: ``ensure_host_mapping`` comes first.
        """
        ...

    async def list_provider_views(
        self, hosts: Collection[str] | None = None
    ) -> Sequence[ProviderView]:
        """List hosts with inventories and use; all of them if none is named."""
        ...
