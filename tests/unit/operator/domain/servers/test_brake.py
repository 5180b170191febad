from datetime import UTC, datetime, timedelta

import pytest

from kilonova_operator.domain.servers.brake import (
    BrakeSettings,
    destroys_left,
    is_young,
)


@pytest.mark.parametrize(
    ("ordered", "guests", "left"),
    [(0, 3, 5), (5, 3, 0), (6, 3, 0), (5, 50, 0), (0, 100, 10), (10, 100, 0)],
)
def test_five_or_a_tenth_of_the_guests_may_be_destroyed(
    ordered: int, guests: int, left: int
) -> None:
    assert destroys_left(ordered, guests, BrakeSettings()) == left


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ages", "young"),
    [
        pytest.param([599], True, id="within the window"),
        pytest.param([600], False, id="as old as the window"),
        pytest.param([1, 600], False, id="its order was given again"),
        pytest.param([1, None], True, id="one witness knows nothing"),
        pytest.param([None], False, id="nobody knows"),
        pytest.param([-30], True, id="a clock that is a bit ahead"),
        pytest.param([-90], False, id="from the future"),
    ],
)
def test_a_guest_is_as_old_as_its_oldest_witness_says(
    ages: list[int | None],
    young: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    times = [None if age is None else NOW - timedelta(seconds=age) for age in ages]
    assert is_young(times, now=NOW, settings=BrakeSettings()) == young
