"""Which cell a host is in: its Node's label says so, until it holds guests."""

from collections.abc import Callable
from dataclasses import dataclass, field

from kilonova_operator.domain.conditions import Judgement, stalled
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.hosts.host_status import build_cell_not_found
from kilonova_operator.domain.hosts.nodes import NodeSummary
from kilonova_operator.domain.refusals import HostInOtherCell
from kilonova_operator.services.stores import ApiStore


@dataclass(slots=True)
class CellOfHost:
    """Maps hosts to cells in the API database."""

    store: ApiStore
    term: Callable[[], Term]
    cells: tuple[str, ...]
    default_cell: str
    _mapped: dict[str, str] = field(default_factory=dict)

    async def load(self) -> None:
        """Read what is mapped; what was known before is dropped."""
        mappings = await self.store.list_host_mappings()
        self._mapped = {mapping.host: mapping.cell for mapping in mappings}

    async def place(
        self, host: str, node: NodeSummary | None
    ) -> tuple[str | None, Judgement | None]:
        """Return the host's cell, and why it is not the one that is wanted."""
        mapped = self._mapped.get(host)
        if node is None:
            return mapped, None
        wanted = node.cell or self.default_cell
        if wanted == mapped:
            return mapped, None
        if wanted not in self.cells:
            return mapped, build_cell_not_found(wanted)
        try:
            await self.store.ensure_host_mapping(self.term(), host, wanted)
        except HostInOtherCell as refused:
            return mapped, stalled(refused.reason, str(refused))
        self._mapped[host] = wanted
        return wanted, None
