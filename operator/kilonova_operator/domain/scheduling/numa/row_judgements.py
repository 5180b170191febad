"""Verdicts on many hosts, each judged once until it changes.

A request for NUMA cells costs microseconds a host, which is much for ten thousand
of them. Flavors are few and repeat, and a decision changes one host: so the verdicts
on a guest stay, by row of the hosts, and only rows that changed are judged anew.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits
from kilonova_operator.domain.scheduling.numa.guest import GuestTopology
from kilonova_operator.domain.scheduling.numa.judgement import host_passes
from kilonova_operator.domain.scheduling.numa.topology import NumaState

GUESTS_KEPT = 64
"""A byte a host each. More kinds of guests than that in turn are judged anew."""

_UNKNOWN = -1

_Judge = Callable[[NumaState | None, GuestTopology | None, NumaLimits], bool]


@dataclass(frozen=True, slots=True)
class NumaRow:
    """A host as it is judged; without a state it tells of no cells."""

    state: NumaState | None
    limits: NumaLimits


class RowJudgements:
    """Which hosts pass, for every guest that was asked about lately."""

    def __init__(
        self, *, judge: _Judge = host_passes, guests_kept: int = GUESTS_KEPT
    ) -> None:
        self._judge = judge
        self._guests_kept = guests_kept
        self._verdicts: OrderedDict[GuestTopology, npt.NDArray[np.int8]] = OrderedDict()

    def forget(self, row: int) -> None:
        """Judge a row anew: its host's cells, use or ratios changed.

        Or another host is in it now: then the row it came from is forgotten, too.
        """
        for verdicts in self._verdicts.values():
            if row < len(verdicts):
                verdicts[row] = _UNKNOWN

    def mask(self, guest: GuestTopology, rows: Sequence[NumaRow]) -> BoolArray:
        """Return one entry a row; True passes."""
        verdicts = self._ensure_verdicts(guest, len(rows))
        for row in np.flatnonzero(verdicts[: len(rows)] == _UNKNOWN).tolist():
            host = rows[row]
            verdicts[row] = self._judge(host.state, guest, host.limits)
        passes: BoolArray = verdicts[: len(rows)] == 1
        return passes

    def _ensure_verdicts(self, guest: GuestTopology, rows: int) -> npt.NDArray[np.int8]:
        verdicts = self._verdicts.pop(guest, np.zeros(0, np.int8))
        if len(verdicts) < rows:
            # Some more than needed, or each new host would copy the array.
            grown = np.full(rows + rows // 2, _UNKNOWN, np.int8)
            grown[: len(verdicts)] = verdicts
            verdicts = grown
        self._verdicts[guest] = verdicts
        if len(self._verdicts) > self._guests_kept:
            self._verdicts.popitem(last=False)
        return verdicts
