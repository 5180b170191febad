"""The scheduler: all hosts in, a decision out. Pure, and as fast as NumPy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from kilonova_operator.domain.scheduling.columns import (
    BoolArray,
    FloatArray,
    HostColumns,
    IntArray,
)
from kilonova_operator.domain.scheduling.decision import Decision, Rejected
from kilonova_operator.domain.scheduling.extra_spec_check import refuse_extra_specs
from kilonova_operator.domain.scheduling.filters.numa_topology import (
    NUMATopologyFilter,
)
from kilonova_operator.domain.scheduling.host_table import HostVerdict
from kilonova_operator.domain.scheduling.hosts_seen import HostsSeen, SeenWeights
from kilonova_operator.domain.scheduling.interfaces import (
    ClassFilter,
    ClassRule,
    HostWeigher,
    RequestFilter,
    RequestRule,
    RequestWeigher,
    Verdict,
)
from kilonova_operator.domain.scheduling.nearest_miss import find_nearest_miss
from kilonova_operator.domain.scheduling.prefilters.capacity import (
    Capacity,
    OtherCapacity,
)
from kilonova_operator.domain.scheduling.request import BuildRequest
from kilonova_operator.domain.scheduling.roster import Roster
from kilonova_operator.domain.scheduling.rows import HostRows
from kilonova_operator.domain.scheduling.scores import OUT, score_once
from kilonova_operator.domain.scheduling.views import ClassView, ClassViews, Judgements
from kilonova_operator.domain.scheduling.weights import RawWeights


@dataclass(frozen=True, slots=True)
class SchedulingRules:
    """Pre-filters, filters and weighers, each in its order."""

    prefilters: tuple[ClassRule | RequestRule, ...]
    filters: tuple[ClassFilter | RequestFilter, ...]
    weighers: tuple[HostWeigher | RequestWeigher, ...]
    host_subset_size: int = 1
    shuffle_best_same_weighed_hosts: bool = False

    def check_extra_specs(self, extra_specs: Mapping[str, str]) -> None:
        """Refuse what nobody would act on, rather than ignore it.

        Raises:
            UnknownExtraSpec: Nova does not know a key, or its value.
            UnsupportedExtraSpec: it names every key that no rule understands.
        """
        refuse_extra_specs(
            extra_specs, prefilters=self.prefilters, filters=self.filters
        )


@dataclass(slots=True)
class _Sight:
    """The hosts as one request sees them."""

    view: ClassView
    judgements: Judgements
    counts: IntArray
    totals: FloatArray
    special: Mapping[int, FloatArray]
    """Raw weights by weighers that depend on the request."""


class Scheduler:
    """Chooses hosts from columns that others keep current."""

    def __init__(
        self, rules: SchedulingRules, columns: HostColumns, *, random: Random
    ) -> None:
        self._rules = rules
        self._columns = columns
        self._random = random
        self._all = (*rules.prefilters, *rules.filters)
        self._raw = RawWeights(columns, rules.weighers)
        self._roster = Roster(
            (),
            tuple(rule.name for rule in self._all),
            tuple(weigher.name for weigher in rules.weighers),
        )
        numbered = tuple(enumerate(self._all, 1))
        self._request_rules = [
            (number, rule) for number, rule in numbered if isinstance(rule, RequestRule)
        ]
        judging = [
            (number, rule) for number, rule in numbered if isinstance(rule, ClassRule)
        ]
        self._room_rules = [
            number
            for number, rule in numbered
            if isinstance(rule, Capacity | OtherCapacity | NUMATopologyFilter)
        ]
        first = min(self._room_rules, default=len(self._all))
        self._beside_room = [
            (number, rule)
            for number, rule in numbered[first:]
            if number not in self._room_rules
        ]
        self._build_views = self._keep(judging)
        self._rebuild_views = self._keep(
            (number, rule) for number, rule in judging if self._judges_rebuilds(number)
        )
        self._forced_views = self._keep(
            (number, rule) for number, rule in judging if self._is_prefilter(number)
        )

    def select(self, request: BuildRequest, *, keeps_hosts: bool = False) -> Decision:
        """Choose the best of the hosts that pass everything.

        Every other host counts for the one constraint that it failed first.
        ``keeps_hosts``: the decision shall be able to tell of each of them.
        Source: nova.scheduler.manager._get_sorted_hosts, Nova 34.
        """
        sight = self._look(request)
        left = int(sight.counts[0])
        row = self._choose(sight.totals, left)
        host = None if row is None else self._columns.hosts[row]
        return Decision(
            host=host,
            cell="" if host is None else self._columns.cell_of(host),
            hosts_left=left,
            rejections=self._list_rejections(sight, request),
            nearest_miss=None if host else self._find_nearest_miss(sight, request),
            seen=self._keep_seen(sight) if keeps_hosts else None,
            ignored_hints=request.ignored_hints,
        )

    def rank(self, request: BuildRequest) -> list[str]:
        """Return every host that passes, best first, equal ones in their order."""
        totals = self._look(request).totals
        order = np.argsort(-totals, kind="stable")
        return [self._columns.hosts[row] for row in order if totals[row] != OUT]

    def explain(
        self, request: BuildRequest, *, most: int | None = None
    ) -> list[HostVerdict]:
        """Say of hosts what each failed, or each weight and their sum.

        Those that pass come first, best before worse; ``most``: no more of them.
        """
        seen = self._keep_seen(self._look(request))
        return seen.build_table({}).list_verdicts(most)

    def _look(self, request: BuildRequest) -> _Sight:
        view = self._views_for(request).get(request.asked)
        verdicts = self._judge(request)
        special = {
            number: column
            for number in self._raw.for_requests
            if (column := self._raw.column_for(number, request)) is not None
        }
        if not verdicts and not special:
            totals = view.scores.compute(view.judgements, self._raw)
            return _Sight(view, view.judgements, view.counts, totals, special)
        judgements, counts = _overlay(view, verdicts)
        totals = self._score_over(view, judgements, special)
        return _Sight(view, judgements, counts, totals, special)

    def _views_for(self, request: BuildRequest) -> ClassViews:
        if request.asked.rebuild:
            return self._rebuild_views
        return self._build_views if request.forced_host is None else self._forced_views

    def _keep(self, rules: Iterable[tuple[int, ClassRule]]) -> ClassViews:
        return ClassViews(self._columns, rules, self._raw, highest=len(self._all))

    def _is_prefilter(self, number: int) -> bool:
        return number <= len(self._rules.prefilters)

    def _judges_rebuilds(self, number: int) -> bool:
        if self._is_prefilter(number):
            return True
        return self._rules.filters[
            number - len(self._rules.prefilters) - 1
        ].runs_on_rebuild

    def _judge(self, request: BuildRequest) -> list[tuple[int, Verdict]]:
        found = []
        for number, rule in self._request_rules:
            if self._runs(number, request):
                verdict = rule.judge(self._columns, request)
                if verdict is not None:
                    found.append((number, verdict))
        return found

    def _runs(self, number: int, request: BuildRequest) -> bool:
        if request.asked.rebuild:
            return self._judges_rebuilds(number)
        return request.forced_host is None or self._is_prefilter(number)

    def _score_over(
        self, view: ClassView, judgements: Judgements, special: Mapping[int, FloatArray]
    ) -> FloatArray:
        """Score what one request's own rules left."""
        out = np.flatnonzero((judgements != 0) & (view.judgements == 0))
        if not special:
            totals = view.scores.compute(view.judgements, self._raw)
            if not view.scores.depends_on(out.tolist()):
                totals = totals.copy()
                totals[out] = OUT
                return totals
        passing = np.flatnonzero(judgements == 0)
        totals = np.full(len(judgements), OUT)
        totals[passing] = score_once(
            passing,
            range(len(self._rules.weighers)),
            lambda n: special.get(n, self._raw.column(n)),
            self._raw,
        )
        return totals

    def _keep_seen(self, sight: _Sight) -> HostsSeen:
        """Copy what the next change of a host would change."""
        if self._roster.hosts is not self._columns.names:
            self._roster = replace(self._roster, hosts=self._columns.names)
        raw = self._raw
        weights = tuple(
            SeenWeights(number, column.copy(), raw.multiplier(number), weigher.minval)
            for number, weigher in enumerate(self._rules.weighers)
            if (column := self._find_telling(number, sight)) is not None
        )
        return HostsSeen(self._roster, sight.judgements.copy(), weights)

    def _find_telling(self, number: int, sight: _Sight) -> FloatArray | None:
        """Return raw weights that may tell hosts apart; None: all get 0."""
        if number in self._raw.scaled:
            return self._raw.column(number)
        return sight.special.get(number)

    def _choose(self, totals: FloatArray, left: int) -> int | None:
        """Return the best row, or one of the best ``host_subset_size``."""
        if left == 0:
            return None
        rules = self._rules
        if rules.host_subset_size > 1:
            order = np.argsort(-totals, kind="stable")
            return int(self._random.choice(order[: min(left, rules.host_subset_size)]))
        best = int(totals.argmax())
        if not rules.shuffle_best_same_weighed_hosts:
            return best
        return int(self._random.choice(np.flatnonzero(totals == totals[best])))

    def _list_rejections(
        self, sight: _Sight, request: BuildRequest
    ) -> tuple[Rejected, ...]:
        return tuple(
            Rejected(rule.name, int(sight.counts[number]), rule.explain(request))
            for number, rule in enumerate(self._all, 1)
            if sight.counts[number]
        )

    def _find_nearest_miss(self, sight: _Sight, request: BuildRequest) -> str | None:
        """Compare the hosts that fail at nothing but room.

        Judgements tell the first failure alone, so rules that come after those of
        room are asked again, of the hosts that are left.
        """
        rows = np.flatnonzero(np.isin(sight.judgements, self._room_rules))
        for number, rule in self._beside_room:
            if len(rows) and self._runs(number, request):
                rows = rows[self._find_passing(rule, rows, request)]
        return find_nearest_miss(self._columns, rows, request.asked)

    def _find_passing(
        self, rule: ClassRule | RequestRule, rows: IntArray, request: BuildRequest
    ) -> BoolArray:
        """Tell which of some hosts pass one rule."""
        if isinstance(rule, ClassRule):
            return rule.mask(HostRows(self._columns, rows), request.asked)
        verdict = rule.judge(self._columns, request)
        if verdict is None:
            return np.ones(len(rows), np.bool_)
        return ~verdict.find_failing(len(self._columns))[rows]


def _overlay(
    view: ClassView, verdicts: Sequence[tuple[int, Verdict]]
) -> tuple[Judgements, IntArray]:
    """Lay one request's verdicts over its class's; the first failure counts."""
    judgements = view.judgements.copy()
    for number, verdict in verdicts:
        failing = verdict.find_failing(len(judgements))
        failing &= (judgements == 0) | (judgements > number)
        judgements[failing] = number
    counts = np.bincount(judgements, minlength=len(view.counts))
    return judgements, counts
