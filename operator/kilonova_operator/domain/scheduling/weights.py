"""Raw weights of all hosts: one column a weigher, shared by all requests."""

from collections.abc import Collection, Sequence

import numpy as np

from kilonova_operator.domain.scheduling.aggregates import AggregateSet
from kilonova_operator.domain.scheduling.columns import (
    FloatArray,
    HostColumns,
    IntArray,
)
from kilonova_operator.domain.scheduling.interfaces import (
    HostWeigher,
    RequestWeigher,
    Weigher,
    reads_use,
)
from kilonova_operator.domain.scheduling.request import BuildRequest
from kilonova_operator.domain.scheduling.rows import HostRows


class RawWeights:
    """Weighs hosts that changed, and keeps the rest."""

    def __init__(
        self, columns: HostColumns, weighers: Sequence[HostWeigher | RequestWeigher]
    ) -> None:
        self.weighers = tuple(weighers)
        self._columns = columns
        self._place = self._facts_place = -1
        self._by_host = {
            number: weigher
            for number, weigher in enumerate(self.weighers)
            if isinstance(weigher, HostWeigher)
        }
        self._by_request = {
            number: weigher
            for number, weigher in enumerate(self.weighers)
            if isinstance(weigher, RequestWeigher)
        }
        self._of_use = [n for n, weigher in self._by_host.items() if reads_use(weigher)]
        self._of_facts = [n for n in self._by_host if n not in self._of_use]
        self.scaled: tuple[int, ...] = ()
        """Numbers of the weighers that may tell hosts apart for any request.

        The others give every host 0, whichever hosts pass.
        """
        self._raw: dict[int, FloatArray] = {}
        self._multipliers: dict[int, FloatArray] = {}

    def refresh(self) -> None:
        """Weigh what changed since the last time."""
        columns = self._columns
        resized = columns.facts_log.list_since(self._facts_place)
        changed = columns.log.list_since(self._place)
        self._facts_place, self._place = columns.facts_log.place, columns.log.place
        if resized is None or changed is None:
            self._weigh_all(HostRows(columns))
            return
        self._weigh_again(resized, self._of_facts)
        self._weigh_again(changed, self._of_use)

    def _weigh_again(self, rows: IntArray, numbers: Collection[int]) -> None:
        if len(rows) == 0:
            return
        hosts = HostRows(self._columns, rows)
        for number in numbers:
            column, weights = self._raw[number], self._weigh(number, hosts)
            if number not in self.scaled and (weights != column[0]).any():
                self.scaled = tuple(sorted((*self.scaled, number)))
            column[rows] = weights

    @property
    def for_requests(self) -> Collection[int]:
        """Numbers of the weighers that depend on the request."""
        return self._by_request.keys()

    def column(self, number: int) -> FloatArray | None:
        """Return a weigher's raw weights; None if they depend on the request."""
        return self._raw.get(number)

    def column_for(self, number: int, request: BuildRequest) -> FloatArray | None:
        """Return a weigher's raw weights for one request; None: 0 for all."""
        weigher = self._by_request.get(number)
        if weigher is None:
            return self._raw[number]
        raw = weigher.weigh_for(self._columns, request)
        return None if raw is None else _clamped(raw, weigher.minval)

    def multiplier(self, number: int) -> float | FloatArray:
        """Return how much a weigher counts: one number, or one for each host."""
        weigher = self.weighers[number]
        overridden = self._multipliers.get(number)
        if overridden is None:
            return weigher.sign * weigher.multiplier
        return weigher.sign * overridden

    def _weigh_all(self, hosts: HostRows) -> None:
        self._raw = {number: self._weigh(number, hosts) for number in self._by_host}
        self.scaled = tuple(
            number
            for number, weigher in self._by_host.items()
            if not _is_flat(self._raw[number], weigher.minval)
        )
        keys = hosts.aggregate_keys
        self._multipliers = {
            number: _find_multipliers(hosts, weigher)
            for number, weigher in enumerate(self.weighers)
            if weigher.multiplier_key in keys
        }

    def _weigh(self, number: int, hosts: HostRows) -> FloatArray:
        weigher = self._by_host[number]
        return _clamped(weigher.weigh(hosts), weigher.minval)


def _is_flat(raw: FloatArray, minval: float | None) -> bool:
    if len(raw) == 0 or (raw != raw[0]).any():
        return False
    return minval is None or float(raw[0]) == minval


def _clamped(raw: FloatArray, minval: float | None) -> FloatArray:
    return raw if minval is None else np.maximum(raw, minval)


def _find_multipliers(hosts: HostRows, weigher: Weigher) -> FloatArray:
    """Return each host's multiplier: the lowest of its aggregates, else the site's.

    Source: nova.scheduler.utils.get_weight_multiplier, Nova 34.
    """

    def find(aggregates: AggregateSet) -> float:
        return aggregates.find_lowest(
            weigher.multiplier_key, float, of_site=weigher.multiplier
        )

    return hosts.weigh_aggregates(find)
