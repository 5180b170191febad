"""The API server's time, told by its answers."""

from datetime import timedelta

import pytest

from kilonova_operator.services.control.server_time import ServerTime
from support.clock import FakeClock


@pytest.mark.parametrize("skew_seconds", [None, 0.0, 3600.0, -3600.0])
def test_now_is_the_api_servers(skew_seconds: float | None) -> None:
    clock = FakeClock()
    right = clock.utcnow()
    clock.shift_wall_clock(skew_seconds or 0.0)
    assert ServerTime(clock, lambda: skew_seconds).now() == right


@pytest.mark.parametrize(
    ("skew_seconds", "text"),
    [
        (None, None),
        (-30.0, None),
        (3600.4, "3600 s ahead of the API server's"),
        (-31.0, "31 s behind the API server's"),
    ],
)
def test_a_wall_clock_that_is_off_is_named(
    skew_seconds: float | None, text: str | None
) -> None:
    told = ServerTime(FakeClock(), lambda: skew_seconds).find_skew()
    assert (told is None) == (text is None)
    assert (text or "") in (told or "")


def test_skew_may_change_between_two_looks() -> None:
    skews = [timedelta(hours=1).total_seconds(), 0.0]
    time = ServerTime(FakeClock(), lambda: skews.pop(0))
    assert time.find_skew() is not None
    assert time.find_skew() is None
