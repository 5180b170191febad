"""Servers that wait are woken by what they wait for, and by nothing else."""

from collections.abc import Callable
from random import Random

import pytest

from kilonova_api.kube.resources import Key
from kilonova_operator.services.control.waiting import Reference, Waiting

WEB, DB = Key("shop", "web"), Key("shop", "db")
SMALL = Reference("Flavor", Key("", "m1.small"))
DEBIAN = Reference("Image", Key("shop", "debian"))


@pytest.fixture
def woken() -> list[Key]:
    return []


@pytest.fixture
def alarms() -> list[Callable[[], None]]:
    """What comes once the rest after a round is over."""
    return []


@pytest.fixture
def waiting(woken: list[Key], alarms: list[Callable[[], None]]) -> Waiting:
    return Waiting(
        woken.append, later=lambda _, call: alarms.append(call), random=Random(1)
    )


def test_a_reference_wakes_those_who_wait_for_it(
    waiting: Waiting, woken: list[Key]
) -> None:
    waiting.for_references(WEB, frozenset({SMALL, DEBIAN}))
    waiting.for_references(DB, frozenset({DEBIAN}))
    waiting.reference_changed(SMALL)
    assert woken == [WEB]


def test_who_was_woken_waits_no_more(waiting: Waiting, woken: list[Key]) -> None:
    waiting.for_references(WEB, frozenset({SMALL, DEBIAN}))
    waiting.reference_changed(SMALL)
    waiting.reference_changed(DEBIAN)
    assert woken == [WEB]


def test_capacity_wakes_the_longest_waiting_first(
    waiting: Waiting, woken: list[Key]
) -> None:
    waiting.for_capacity(WEB)
    waiting.for_capacity(DB)
    waiting.capacity_changed()
    waiting.capacity_changed()
    assert woken == [WEB, DB]


def test_a_new_wait_replaces_the_old_one(waiting: Waiting, woken: list[Key]) -> None:
    waiting.for_references(WEB, frozenset({SMALL}))
    waiting.for_capacity(WEB)
    waiting.reference_changed(SMALL)
    assert woken == []


def test_who_is_forgotten_is_not_woken(waiting: Waiting, woken: list[Key]) -> None:
    waiting.for_references(WEB, frozenset({SMALL}))
    waiting.for_capacity(DB)
    waiting.forget(WEB)
    waiting.forget(DB)
    waiting.reference_changed(SMALL)
    waiting.capacity_changed()
    assert woken == []


def test_many_changes_at_once_wake_but_twice(
    waiting: Waiting, woken: list[Key], alarms: list[Callable[[], None]]
) -> None:
    waiting.for_capacity(WEB)
    for _ in range(100):
        waiting.capacity_changed()
        waiting.for_capacity(WEB)  # it was looked at, and fits nowhere still
    assert woken == [WEB], "the first change wakes at once"
    alarms.pop()()
    assert woken == [WEB, WEB], "what changed meanwhile is not lost"
    waiting.for_capacity(WEB)
    alarms.pop()()
    assert woken == [WEB, WEB]
    assert waiting.capacity_rounds == 2
    waiting.capacity_changed()
    assert woken == [WEB] * 3, "after a quiet second the next one is the first again"
