"""Conditions move their time with their status and with nothing else."""

from datetime import UTC, datetime, timedelta

from kilonova_api.meta import Condition
from kilonova_operator.domain.conditions import (
    Judgement,
    build_conditions,
    ready,
    reconciling,
    stalled,
    unknown,
)

THEN = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
NOW = THEN + timedelta(hours=1)


def build(
    judgement: Judgement, current: tuple[Condition, ...] = (), at: datetime = NOW
) -> dict[str, Condition]:
    conditions = build_conditions(judgement, current=current, generation=3, now=at)
    return {condition.type: condition for condition in conditions}


def test_ready_stands_alone() -> None:
    assert set(build(ready("Up"))) == {"Ready"}


def test_what_heals_by_itself_is_reconciling_and_what_needs_a_person_is_stalled() -> (
    None
):
    assert set(build(reconciling("Waiting", "for it"))) == {"Ready", "Reconciling"}
    assert set(build(stalled("Broken", "repair it"))) == {"Ready", "Stalled"}
    assert build(unknown("Silent", "?"))["Ready"].status == "Unknown"


def test_a_new_reason_is_no_transition() -> None:
    before = build(stalled("One", "first"), at=THEN)
    after = build(stalled("Two", "second"), tuple(before.values()))
    assert after["Ready"].reason == "Two"
    assert after["Ready"].last_transition_time == THEN.replace(microsecond=0)


def test_a_new_status_is_a_transition() -> None:
    before = build(stalled("One", "first"), at=THEN)
    after = build(ready("Up"), tuple(before.values()))
    assert after["Ready"].last_transition_time == NOW.replace(microsecond=0)


def test_the_same_judgement_gives_the_same_conditions() -> None:
    before = build(stalled("One", "first"), at=THEN)
    assert build(stalled("One", "first"), tuple(before.values())) == before


def test_times_are_whole_seconds_and_messages_bounded() -> None:
    condition = build(stalled("Long", "x" * 10_000))["Ready"]
    assert condition.last_transition_time.microsecond == 0
    assert len(condition.message) == 4096
