import time
from random import Random

from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Deadline, SystemClock
from support.clock import FakeClock


async def test_a_deadline_counts_boot_time_and_not_the_wall_clock() -> None:
    clock = FakeClock()
    deadline = Deadline.after(clock, 10)
    clock.shift_wall_clock(365 * 86_400)
    assert deadline.left() == 10
    await clock.advance(9)
    assert not deadline.expired
    await clock.advance(5)
    assert deadline.expired
    assert deadline.left() == 0


def test_the_systems_clock_counts_time_asleep() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert 0 <= SystemClock().boottime() - before < 5


def test_pauses_double_up_to_their_bound_and_never_get_short() -> None:
    backoff, random = Backoff(first_seconds=1, most_seconds=30), Random(1)
    for failures, step in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (10_000, 30)]:
        pauses = [backoff.delay(failures, random) for _ in range(200)]
        assert step / 2 <= min(pauses) <= max(pauses) <= step
        assert max(pauses) - min(pauses) > step / 4
