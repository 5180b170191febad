"""CrossCellWeigher: keep a guest that moves in its cell."""

from dataclasses import dataclass

from kilonova_operator.domain.scheduling.columns import FloatArray, HostColumns
from kilonova_operator.domain.scheduling.request import BuildRequest


@dataclass(frozen=True, slots=True)
class CrossCellWeigher:
    """Says something of moves between cells only, and a build is none.

    Source: nova.scheduler.weights.cross_cell, Nova 34.
    """

    multiplier: float = 1_000_000.0
    name = "CrossCellWeigher"
    multiplier_key = "cross_cell_move_weight_multiplier"
    sign = 1.0
    minval = None

    def weigh_for(
        self, columns: HostColumns, request: BuildRequest
    ) -> FloatArray | None:
        """Weigh all hosts alike."""
        del columns, request
        return None
