"""All hosts as one decision saw them: copies of columns, computed into a table later.

To weigh every host by every weigher takes longer than to choose the best one, whose
totals are kept. So the decision only copies what would change under it; who wants
the table builds it, in another thread if need be.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray, IntArray
from kilonova_operator.domain.scheduling.host_table import HostTable
from kilonova_operator.domain.scheduling.normalize import normalize_weights
from kilonova_operator.domain.scheduling.roster import Roster
from kilonova_operator.domain.scheduling.views import Judgements


@dataclass(frozen=True, slots=True, eq=False)
class SeenWeights:
    """One weigher's raw weights of all hosts, and what they are multiplied with."""

    number: int
    raw: FloatArray
    multiplier: float | FloatArray
    minval: float | None

    def scale(self, passing: IntArray) -> FloatArray:
        """Return what the weigher adds to the totals of the rows ``passing``."""
        scaled = normalize_weights(self.raw[passing], minval=self.minval)
        if isinstance(self.multiplier, float):
            return self.multiplier * scaled
        return self.multiplier[passing] * scaled


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class HostsSeen:
    """What was known of each host when the decision was made."""

    roster: Roster
    judgements: Judgements
    weights: tuple[SeenWeights, ...]

    @property
    def size_bytes(self) -> int:
        """What it occupies, but for the roster, which all share."""
        return self.judgements.nbytes + sum(seen.raw.nbytes for seen in self.weights)

    def build_table(self, found_full: Mapping[str, str]) -> HostTable:
        """Weigh every host that passes.

        found_full: of hosts that were left out since their claim was refused,
        what they failed there.
        """
        passing = np.flatnonzero(self.judgements == 0)
        # Where there is nothing to compare Nova weighs nothing (nova.weights).
        told = self.weights if len(passing) > 1 else ()
        columns = [seen.scale(passing) for seen in told]
        return HostTable(
            self.roster,
            self.judgements,
            tuple(seen.number for seen in told),
            np.array(columns, np.float64).reshape(len(told), len(passing)),
            found_full=self._find_rows(found_full) if found_full else {},
        )

    def _find_rows(self, found_full: Mapping[str, str]) -> dict[int, str]:
        rows = {host: row for row, host in enumerate(self.roster.hosts)}
        return {
            rows[host]: constraint
            for host, constraint in found_full.items()
            if host in rows and self.judgements[rows[host]]
        }
