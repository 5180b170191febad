"""Verdicts on many hosts stay until a host changes."""

from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits
from kilonova_operator.domain.scheduling.numa.guest import GuestTopology
from kilonova_operator.domain.scheduling.numa.judgement import host_passes
from kilonova_operator.domain.scheduling.numa.row_judgements import (
    NumaRow,
    RowJudgements,
)
from kilonova_operator.domain.scheduling.numa.topology import NumaState
from support.numa import LIMITS, made_cell, made_host, pinned_guest

_EMPTY = NumaRow(made_host(made_cell()), LIMITS)
_FULL = NumaRow(made_host(made_cell(pinned=range(8))), LIMITS)
_TELLS_NOTHING = NumaRow(None, LIMITS)


class _Judge:
    """Judges, and remembers whom."""

    def __init__(self) -> None:
        self.judged: list[NumaState | None] = []

    def __call__(
        self, host: NumaState | None, guest: GuestTopology | None, limits: NumaLimits
    ) -> bool:
        self.judged.append(host)
        return host_passes(host, guest, limits)


def test_each_row_is_judged_once() -> None:
    judge = _Judge()
    judgements = RowJudgements(judge=judge)
    rows = [_EMPTY, _FULL, _TELLS_NOTHING]
    for _ in range(3):
        assert judgements.mask(pinned_guest(2), rows).tolist() == [True, False, False]
    assert len(judge.judged) == 3


def test_a_changed_row_is_judged_anew_for_every_guest() -> None:
    judge = _Judge()
    judgements = RowJudgements(judge=judge)
    rows = [_EMPTY, _EMPTY]
    for guest in (pinned_guest(1), pinned_guest(2)):
        judgements.mask(guest, rows)
    rows[1] = _FULL
    judgements.forget(1)
    judge.judged.clear()
    for guest in (pinned_guest(1), pinned_guest(2)):
        assert judgements.mask(guest, rows).tolist() == [True, False]
    assert judge.judged == [_FULL.state] * 2


def test_hosts_may_come_and_go() -> None:
    judgements = RowJudgements()
    assert judgements.mask(pinned_guest(1), []).tolist() == []
    assert judgements.mask(pinned_guest(1), [_EMPTY]).tolist() == [True]
    rows = [_EMPTY, _FULL, _EMPTY]
    assert judgements.mask(pinned_guest(1), rows).tolist() == [True, False, True]
    # The last host moves into the row of the one that went.
    judgements.forget(1)
    judgements.forget(2)
    judgements.forget(1000)
    assert judgements.mask(pinned_guest(1), [_EMPTY, _EMPTY]).tolist() == [True] * 2


def test_the_guest_not_asked_about_for_longest_is_forgotten_first() -> None:
    judge = _Judge()
    judgements = RowJudgements(judge=judge, guests_kept=2)
    for vcpus in (1, 2, 1, 3):
        judgements.mask(pinned_guest(vcpus), [_EMPTY])
    judge.judged.clear()
    judgements.mask(pinned_guest(1), [_EMPTY])
    assert judge.judged == []
    judgements.mask(pinned_guest(2), [_EMPTY])
    assert judge.judged == [_EMPTY.state]
