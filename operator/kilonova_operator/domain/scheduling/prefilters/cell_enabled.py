"""Only hosts of cells that take new Servers."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import (
    Always,
    FactsAlone,
    NoExtraSpecs,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


class CellEnabled(Always, FactsAlone, NoExtraSpecs):
    """Leave out hosts of disabled cells, and of cells not asked for.

    Source: nova.scheduler.host_manager.refresh_cells_caches, Nova 34; here it
    takes effect at once.
    """

    name = "CellDisabled"

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts of enabled cells; of one cell if the request names it."""
        if asked.cell is None:
            return hosts.cell_enabled
        return hosts.cell_enabled & hosts.in_cells((asked.cell,))

    def explain(self, request: BuildRequest) -> str:
        """Say which cells are left."""
        if request.asked.cell is None:
            return "The host's Cell has spec.enabled: false."
        return (
            f"Only cell {request.asked.cell} may be used, and only while it is enabled."
        )
