"""What the rules say of every host, kept for each class of requests.

A judgement is the number of the first rule that a host fails, 0 where it passes all.
Only hosts that changed since the last look are judged again.
"""

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from kilonova_operator.domain.scheduling.columns import HostColumns, IntArray
from kilonova_operator.domain.scheduling.interfaces import ClassRule
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
        self._rules = tuple((n, rule) for n, rule in rules if rule.applies(asked))
        self._highest = highest
        self._place = -1
        self.judgements: Judgements = np.zeros(0, np.uint8)
        self.counts: IntArray = np.zeros(highest + 1, np.int64)
        self.scores = Scores()

    def refresh(self, raw: RawWeights) -> None:
        """Judge what changed; ``raw`` is current already."""
        changed = self._columns.log.list_since(self._place)
        self._place = self._columns.log.place
        if changed is None:
            self.judgements = self._judge(HostRows(self._columns))
            self.counts = self._count(self.judgements)
            self.scores.forget()
        elif len(changed):
            before = self.judgements[changed]
            after = self._judge(HostRows(self._columns, changed))
            self.judgements[changed] = after
            self.counts += self._count(after) - self._count(before)
            self.scores.note_changes(changed, self.judgements, raw)

    def _judge(self, hosts: HostRows) -> Judgements:
        failed: Judgements = np.zeros(len(hosts), np.uint8)
        left = hosts.pass_all()
        for number, rule in self._rules:
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
