"""Stopping: ask, ask again, cut the power."""

from typing import Any

import pytest

from kilonova_agent.services.stopper import Stopper
from support.clock import FakeClock


class Recorder:
    """Remembers what was asked of the driver, and when."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.calls: list[tuple[str, float]] = []

    async def request_shutdown(self, uuid: str) -> None:
        self.calls.append(("shutdown", self._clock.boottime() - 1000))

    async def power_off(self, uuid: str) -> None:
        self.calls.append(("off", self._clock.boottime() - 1000))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def make_stopper(driver: Any, clock: FakeClock) -> Stopper:
    return Stopper(driver, clock, timeout_seconds=60, retry_seconds=10)


async def test_a_deaf_guest_is_asked_every_10_s_and_cut_off_at_60(
    clock: FakeClock,
) -> None:
    driver = Recorder(clock)
    stopper = make_stopper(driver, clock)

    while (left := await stopper.stop("a")) is not None:
        await clock.advance(left)

    asked = [("shutdown", float(at)) for at in range(0, 60, 10)]
    assert driver.calls == [*asked, ("off", 60.0)]


async def test_looking_more_often_asks_no_more_often(clock: FakeClock) -> None:
    driver = Recorder(clock)
    stopper = make_stopper(driver, clock)
    for _ in range(9):
        await stopper.stop("a")
        await clock.advance(1)

    assert driver.calls == [("shutdown", 0.0)]


async def test_a_guest_that_shall_run_again_is_given_its_time_anew(
    clock: FakeClock,
) -> None:
    driver = Recorder(clock)
    stopper = make_stopper(driver, clock)
    await stopper.stop("a")
    await clock.advance(59)
    stopper.forget("a")

    await stopper.stop("a")
    await clock.advance(2)

    assert await stopper.stop("a") is not None
    assert "off" not in {name for name, _ in driver.calls}
