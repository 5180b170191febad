"""Totals of the weights of the hosts that pass, as Nova adds them up."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kilonova_operator.domain.scheduling.columns import FloatArray, IntArray
from kilonova_operator.domain.scheduling.normalize import normalize_weights
from kilonova_operator.domain.scheduling.weights import RawWeights

Columns = Callable[[int], FloatArray | None]
OUT = -np.inf
"""Total of a host that does not pass."""


@dataclass(slots=True)
class _Scale:
    """One weigher's scale over the hosts that pass, and which hosts mark its ends."""

    low: float
    top: float
    ends: tuple[int, ...]

    def holds(self, values: FloatArray) -> bool:
        """Tell whether more values leave the scale as it is."""
        inside = (values >= self.low) & (values <= self.top)
        return bool(inside.all())


@dataclass(slots=True)
class Scores:
    """Totals of one class of requests; computed anew only where a scale changed."""

    totals: FloatArray | None = None
    _scales: dict[int, _Scale] = field(default_factory=dict)
    _measured: tuple[int, ...] = ()
    _ends: frozenset[int] = frozenset()

    def forget(self) -> None:
        """Compute everything at the next use."""
        self.totals = None

    def depends_on(self, rows: Iterable[int]) -> bool:
        """Tell whether a scale ends at one of the rows."""
        return not self._ends.isdisjoint(rows)

    def note_changes(
        self, rows: IntArray, pass_: npt.NDArray[np.bool_], raw: RawWeights
    ) -> None:
        """Follow hosts that changed; ``pass_`` tells of each row whether it passes."""
        totals = self.totals
        if totals is None:
            return
        passing = rows[pass_]
        if (
            self._measured != raw.scaled
            or self.depends_on(rows.tolist())
            or not self._hold(passing, raw)
        ):
            self.totals = None
            return
        totals[rows] = OUT
        totals[passing] = self._add_up(passing, raw)

    def compute(self, judgements: npt.NDArray[np.uint8], raw: RawWeights) -> FloatArray:
        """Return the totals of shape (H,); hosts that do not pass are ``OUT``."""
        if self.totals is None:
            passing = np.flatnonzero(judgements == 0)
            self._measure(passing, raw)
            totals = np.full(len(judgements), OUT)
            totals[passing] = self._add_up(passing, raw)
            self.totals = totals
        return self.totals

    def _measure(self, passing: IntArray, raw: RawWeights) -> None:
        self._scales, self._measured = {}, raw.scaled
        ends: set[int] = set()
        for number in raw.scaled if len(passing) else ():
            column = raw.column(number)
            if column is not None:
                values, minval = _take(column, passing), raw.weighers[number].minval
                scale = self._scales[number] = _measure_scale(values, minval, passing)
                ends.update(scale.ends)
        self._ends = frozenset(ends)

    def _hold(self, passing: IntArray, raw: RawWeights) -> bool:
        for number, scale in self._scales.items():
            column = raw.column(number)
            if column is not None and not scale.holds(column[passing]):
                return False
        return bool(self._scales) or not self._measured

    def _add_up(self, passing: IntArray, raw: RawWeights) -> FloatArray:
        totals = np.zeros(len(passing))
        for number, scale in self._scales.items():
            column = raw.column(number)
            if column is None or scale.low == scale.top:
                continue
            scaled = _take(column, passing) - scale.low
            scaled /= scale.top - scale.low
            scaled *= _multiplier(raw, number, passing)
            totals += scaled
        return totals


def score_once(
    passing: IntArray, weighers: Sequence[int], columns: Columns, raw: RawWeights
) -> FloatArray:
    """Return the totals of the rows ``passing``, for one request alone."""
    totals = np.zeros(len(passing))
    for number in weighers:
        column = columns(number)
        if column is not None:
            totals += scale_once(number, passing, column, raw)
    return totals


def scale_once(
    number: int, passing: IntArray, column: FloatArray, raw: RawWeights
) -> FloatArray:
    """Return what one weigher adds to the totals of the rows ``passing``."""
    scaled = normalize_weights(column[passing], minval=raw.weighers[number].minval)
    return _multiplier(raw, number, passing) * scaled


def _take(column: FloatArray, rows: IntArray) -> FloatArray:
    """Return a column's values of some rows; a view where it is all of them."""
    return column if len(rows) == len(column) else column[rows]


def _measure_scale(
    values: FloatArray, minval: float | None, passing: IntArray
) -> _Scale:
    top = int(values.argmax())
    if minval is not None:
        return _Scale(float(minval), float(values[top]), (int(passing[top]),))
    low = int(values.argmin())
    ends = (int(passing[low]), int(passing[top]))
    return _Scale(float(values[low]), float(values[top]), ends)


def _multiplier(raw: RawWeights, number: int, rows: IntArray) -> float | FloatArray:
    multiplier = raw.multiplier(number)
    return multiplier if isinstance(multiplier, float) else multiplier[rows]
