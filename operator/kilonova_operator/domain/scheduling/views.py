"""What the rules say of every host, kept for each class of requests.

A judgement is the number of the first rule that a host fails, 0 where it passes all.
Only hosts that changed since the last look are judged again.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from kilonova_operator.domain.scheduling.columns import HostColumns, IntArray
from kilonova_operator.domain.scheduling.interfaces import ClassRule, reads_use
from kilonova_operator.domain.scheduling.request import RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows
from kilonova_operator.domain.scheduling.scores import Scores
from kilonova_operator.domain.scheduling.weights import RawWeights

MOST_VIEWS = 128
"""Classes that are kept; the one unused for longest goes first."""

Judgements = npt.NDArray[np.uint8]
NumberedRules = tuple[tuple[int, ClassRule], ...]


class ClassView:
    """All hosts, as one class of requests sees them."""

    def __init__(
        self,
        columns: HostColumns,
        rules: NumberedRules,
        asked: RequestClass,
        *,
        highest: int,
    ) -> None:
        self._columns = columns
        self._asked = asked
        applying = [(number, rule) for number, rule in rules if rule.applies(asked)]
        self._of_facts = [pair for pair in applying if not reads_use(pair[1])]
        self._of_use = [pair for pair in applying if reads_use(pair[1])]
        self._highest = highest
        self._place = self._facts_place = -1
        self._by_facts: Judgements = np.zeros(0, np.uint8)
        self.judgements: Judgements = np.zeros(0, np.uint8)
        self.counts: IntArray = np.zeros(highest + 1, np.int64)
        self.scores = Scores()

    def refresh(self, raw: RawWeights) -> None:
        """Judge what changed; ``raw`` is current already."""
        columns = self._columns
        resized = columns.facts_log.list_since(self._facts_place)
        changed = columns.log.list_since(self._place)
        self._facts_place, self._place = columns.facts_log.place, columns.log.place
        if resized is None or changed is None:
            hosts = HostRows(columns)
            self._by_facts = self._judge(hosts, self._of_facts)
            by_use = self._judge(hosts, self._of_use)
            self.judgements = _find_first(self._by_facts, by_use)
            self.counts = self._count(self.judgements)
            self.scores.forget()
            return
        if len(resized):
            hosts = HostRows(columns, resized)
            self._by_facts[resized] = self._judge(hosts, self._of_facts)
        if len(changed):
            self._judge_again(changed, raw)

    def _judge_again(self, changed: IntArray, raw: RawWeights) -> None:
        by_use = self._judge(HostRows(self._columns, changed), self._of_use)
        before = self.judgements[changed]
        after = _find_first(self._by_facts[changed], by_use)
        if (before != after).any():
            self.judgements[changed] = after
            self.counts += self._count(after) - self._count(before)
        self.scores.note_changes(changed, after == 0, raw)

    def _judge(
        self, hosts: HostRows, rules: Sequence[tuple[int, ClassRule]]
    ) -> Judgements:
        failed: Judgements = np.zeros(len(hosts), np.uint8)
        left = hosts.pass_all()
        for number, rule in rules:
            passes = rule.mask(hosts, self._asked)
            failed[left & ~passes] = number
            left &= passes
        return failed

    def _count(self, judgements: Judgements) -> IntArray:
        counts: IntArray = np.bincount(judgements, minlength=self._highest + 1)
        return counts


class ClassViews:
    """The views of the classes that were asked for lately.

    highest: the highest number that any rule has.
    """

    def __init__(
        self,
        columns: HostColumns,
        rules: Iterable[tuple[int, ClassRule]],
        raw: RawWeights,
        *,
        highest: int,
    ) -> None:
        self._columns = columns
        self._rules = tuple(rules)
        self._raw = raw
        self._highest = highest
        self._views: OrderedDict[RequestClass, ClassView] = OrderedDict()

    def get(self, asked: RequestClass) -> ClassView:
        """Return the class's view as of now."""
        view = self._views.get(asked)
        if view is None:
            view = self._views[asked] = ClassView(
                self._columns, self._rules, asked, highest=self._highest
            )
            if len(self._views) > MOST_VIEWS:
                self._views.popitem(last=False)
        else:
            self._views.move_to_end(asked)
        self._raw.refresh()
        view.refresh(self._raw)
        return view


def _find_first(one: Judgements, other: Judgements) -> Judgements:
    """Return the lower of two rules' numbers; 0, which is no rule, counts highest."""
    lower: Judgements = np.minimum(one - np.uint8(1), other - np.uint8(1))
    return lower + np.uint8(1)
