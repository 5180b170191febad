"""Only hosts of cells that take new Servers."""

from kilonova_operator.domain.scheduling.columns import BoolArray, HostColumns
from kilonova_operator.domain.scheduling.interfaces import NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest


class CellEnabled(NoExtraSpecs):
    """Leave out hosts of disabled cells, and of cells not asked for.

    Source: nova.scheduler.host_manager.refresh_cells_caches, Nova 34; here it
    takes effect at once.
    """

    name = "CellDisabled"

    def mask(self, hosts: HostColumns, request: BuildRequest) -> BoolArray:
        """Pass hosts of enabled cells; of one cell if the request names it."""
        if request.cell is None:
            return hosts.cell_enabled
        return hosts.cell_enabled & hosts.in_cells((request.cell,))

    def explain(self, request: BuildRequest) -> str:
        """Say which cells are left."""
        if request.cell is None:
            return "The host's Cell has spec.enabled: false."
        return f"Only cell {request.cell} may be used, and only while it is enabled."
