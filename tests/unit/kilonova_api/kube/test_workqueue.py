import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from kilonova_api.kube.errors import Call, LeaseLost, TooManyRequests
from kilonova_api.kube.workqueue import QueueFull, QueueSettings, WorkQueue
from support.clock import FakeClock, settle


class Bench:
    """A queue whose reconciles wait until the test lets them go on."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.runs: list[str] = []
        self.running: Counter[str] = Counter()
        self.most_at_once = 0
        self.errors: dict[str, list[Exception]] = {}
        self.hold: asyncio.Event | None = None
        self.told: list[tuple[str, int]] = []
        self.failed = asyncio.Event()
        self.queue = WorkQueue(
            "servers",
            self._reconcile,
            clock=self.clock,
            random=Random(1),
            settings=QueueSettings(**settings),
            on_error=self._tell,
        )

    def _tell(self, key: str, error: Exception, failures: int) -> None:
        self.told.append((key, failures))
        self.failed.set()

    async def _reconcile(self, key: str) -> None:
        self.runs.append(key)
        self.running[key] += 1
        self.most_at_once = max(self.most_at_once, self.running.total())
        assert self.running[key] == 1, f"two reconciles of {key} at once"
        try:
            if self.hold is not None:
                await self.hold.wait()
            if self.errors.get(key):
                raise self.errors[key].pop(0)
        finally:
            self.running[key] -= 1


@asynccontextmanager
async def queueing(**settings: Any) -> AsyncIterator[Bench]:
    bench = Bench(**settings)
    task = asyncio.create_task(bench.queue.run())
    await settle()
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_key_added_twice_is_reconciled_once() -> None:
    async with queueing() as bench:
        bench.queue.add("a")
        bench.queue.add("a")
        bench.queue.add("b")
        await bench.queue.wait_idle()
    assert sorted(bench.runs) == ["a", "b"]
    assert len(bench.queue) == 0


async def test_a_key_added_while_it_runs_is_reconciled_once_more() -> None:
    async with queueing() as bench:
        bench.hold = asyncio.Event()
        bench.queue.add("a")
        await settle()
        for _ in range(3):
            bench.queue.add("a")
        await settle()
        assert bench.runs == ["a"]
        bench.hold.set()
        await bench.queue.wait_idle()
    assert bench.runs == ["a", "a"]


async def test_workers_are_bounded() -> None:
    async with queueing(workers=3) as bench:
        bench.hold = asyncio.Event()
        for number in range(20):
            bench.queue.add(str(number))
        await settle()
        assert (bench.queue.running, bench.queue.depth) == (3, 17)
        bench.hold.set()
        await bench.queue.wait_idle()
    assert bench.most_at_once == 3
    assert len(bench.runs) == 20


async def test_a_failing_key_comes_back_after_growing_pauses() -> None:
    async with queueing() as bench:
        bench.errors["a"] = [ValueError() for _ in range(6)]
        times: list[float] = []
        bench.queue.add("a")
        for _ in range(1000):
            before = len(bench.runs)
            await bench.clock.advance(0.1)
            times += [bench.clock.boottime()] * (len(bench.runs) - before)
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert len(pauses) == 6
    for pause, step in zip(pauses, [0.5, 1, 2, 4, 8, 16], strict=True):
        assert step / 2 - 0.11 <= pause <= step + 0.11
    assert [failures for _, failures in bench.told] == [1, 2, 3, 4, 5, 6]
    assert len(bench.queue) == 0


async def test_news_cut_a_long_pause_short_but_not_below_a_second() -> None:
    async with queueing() as bench:
        bench.errors["a"] = [ValueError() for _ in range(10)]
        bench.queue.add("a")
        await bench.clock.advance(120)
        runs = len(bench.runs)
        await bench.clock.advance(0)
        bench.queue.add("a")  # the pause is more than 60 s by now
        await settle()
        assert len(bench.runs) == runs + 1
        bench.queue.add("a")
        bench.queue.add("a")
        await bench.clock.advance(0.9)
        assert len(bench.runs) == runs + 1
        await bench.clock.advance(0.2)
        assert len(bench.runs) == runs + 2


async def test_a_reconcile_that_fails_after_its_own_echo_runs_once_a_second() -> None:
    async with queueing() as bench:
        bench.errors["a"] = [ValueError() for _ in range(1000)]
        inner = bench._reconcile

        async def echo(key: str) -> None:
            bench.queue.add(key)
            await inner(key)

        bench.queue._reconcile = echo
        bench.queue.add("a")
        await bench.clock.advance(60)
    assert 50 <= len(bench.runs) <= 65


async def test_a_success_forgets_the_failures() -> None:
    async with queueing() as bench:
        bench.errors["a"] = [ValueError()]
        bench.queue.add("a")
        await settle()
        assert bench.queue.failures("a") == 1
        await bench.clock.advance(1)
        assert bench.queue.failures("a") == 0


async def test_a_key_for_later_runs_then_and_the_earliest_wish_counts() -> None:
    async with queueing() as bench:
        bench.queue.add_after("a", 30)
        bench.queue.add_after("a", 10)
        bench.queue.add_after("a", 20)
        await bench.clock.advance(9.9)
        assert bench.runs == []
        await bench.clock.advance(0.2)
        assert bench.runs == ["a"]
        await bench.clock.advance(100)
        assert bench.runs == ["a"]


async def test_a_reconcile_may_ask_for_its_next_run() -> None:
    async with queueing() as bench:

        async def again(key: str) -> None:
            bench.runs.append(key)
            bench.queue.add_after(key, 60)

        bench.queue._reconcile = again
        bench.queue.add("a")
        await bench.clock.advance(185)
        assert bench.runs == ["a"] * 4


async def look_for_ever(bench: Bench, *, most_seconds: float) -> None:
    """Let the bench's reconcile look again and again for what does not come."""

    async def look(key: str) -> None:
        bench.runs.append(key)
        bench.queue.add_after(key, 5, most_seconds=most_seconds)

    bench.queue._reconcile = look
    bench.queue.add("a")
    await settle()


async def test_who_only_waits_is_looked_at_less_and_less_often() -> None:
    async with queueing() as bench:
        await look_for_ever(bench, most_seconds=120)
        await bench.clock.advance(3600)
        # Every 5 s it would be 720 times; every 2 min, 30 times.
        assert 30 <= len(bench.runs) <= 70
        before = len(bench.runs)
        await bench.clock.advance(120)
        assert len(bench.runs) > before


async def test_news_make_the_pauses_short_again() -> None:
    async with queueing() as bench:
        await look_for_ever(bench, most_seconds=120)
        await bench.clock.advance(3600)
        before = len(bench.runs)
        bench.queue.add("a")
        await bench.clock.advance(20)
        assert len(bench.runs) >= before + 3


async def test_keys_that_wait_alike_do_not_march_in_step() -> None:
    async with queueing() as bench:
        runs_at: dict[str, float] = {}

        async def look(key: str) -> None:
            runs_at[key] = bench.clock.boottime()
            bench.queue.add_after(key, 5, most_seconds=120)

        bench.queue._reconcile = look
        for key in "abcdefgh":
            bench.queue.add(key)
        await bench.clock.advance(600)
        assert len(set(runs_at.values())) > 4


async def test_a_key_that_runs_often_and_asks_for_tomorrow_costs_no_memory() -> None:
    async with queueing() as bench:

        async def tomorrow(key: str) -> None:
            bench.runs.append(key)
            bench.queue.add_after(key, 86_400)

        bench.queue._reconcile = tomorrow
        for _ in range(3000):
            bench.queue.add("a")
            await bench.queue.wait_idle()
        assert len(bench.runs) == 3000
        assert len(bench.queue._slots._timers) < 1100
        await bench.clock.advance(86_401)
        assert len(bench.runs) == 3001


async def test_a_time_that_comes_while_the_key_runs_is_not_lost() -> None:
    async with queueing() as bench:
        bench.hold = asyncio.Event()
        bench.queue.add("a")
        await settle()
        bench.queue.add_after("a", 5)
        await bench.clock.advance(10)
        assert bench.runs == ["a"]
        bench.hold.set()
        await bench.queue.wait_idle()
        assert bench.runs == ["a", "a"]


async def test_a_server_that_asks_for_a_pause_gets_it() -> None:
    async with queueing() as bench:
        error = TooManyRequests(Call("get", "/x"), retry_after_seconds=40)
        bench.errors["a"] = [error]
        bench.queue.add("a")
        await bench.clock.advance(39)
        assert bench.runs == ["a"]
        await bench.clock.advance(3)
        assert bench.runs == ["a", "a"]


async def test_the_number_of_keys_is_bounded_and_known_keys_still_get_in() -> None:
    async with queueing(max_keys=2, workers=1) as bench:
        bench.hold = asyncio.Event()
        bench.queue.add("a")
        bench.queue.add_after("b", 60)
        with pytest.raises(QueueFull, match=r"queue servers is full \(2 keys\)"):
            bench.queue.add("c")
        with pytest.raises(QueueFull):
            bench.queue.add_after("c", 1)
        bench.queue.add("a")
        bench.queue.add("b")
        bench.hold.set()
        await bench.queue.wait_idle()
        bench.queue.add("c")
        await bench.queue.wait_idle()
    assert sorted(set(bench.runs)) == ["a", "b", "c"]


async def test_a_reconcile_that_hangs_is_ended_and_retried() -> None:
    async with queueing(reconcile_seconds=0.05, workers=1) as bench:
        bench.hold = asyncio.Event()
        bench.queue.add("a")
        async with asyncio.timeout(5):
            await bench.failed.wait()
        assert bench.told == [("a", 1)]
        bench.hold.set()
        await bench.clock.advance(1)
        assert bench.runs == ["a", "a"]


async def test_a_reconcile_that_is_cancelled_from_inside_costs_no_worker() -> None:
    async with queueing(workers=1) as bench:

        async def cancelled(key: str) -> None:
            bench.runs.append(key)
            if len(bench.runs) == 1:
                raise asyncio.CancelledError

        bench.queue._reconcile = cancelled
        bench.queue.add("a")
        await bench.clock.advance(2)
        assert bench.runs == ["a", "a"]


async def test_a_lost_lease_ends_the_queue() -> None:
    bench = Bench()
    bench.errors["a"] = [LeaseLost("system/super", "thief holds it")]
    bench.queue.add("a")
    async with asyncio.timeout(5):
        with pytest.raises(LeaseLost):
            await bench.queue.run()


async def test_a_stop_waits_for_what_runs_and_starts_nothing_more() -> None:
    async with queueing(workers=1) as bench:
        bench.hold = asyncio.Event()
        bench.queue.add("a")
        bench.queue.add("b")
        await settle()
        stopping = asyncio.create_task(bench.queue.stop(grace_seconds=10))
        await settle()
        assert not stopping.done()
        bench.hold.set()
        assert await stopping == 0
    assert bench.runs == ["a"]
    assert bench.running["a"] == 0


async def test_a_stop_ends_by_its_grace_whatever_hangs() -> None:
    bench = Bench(workers=2)
    running = asyncio.create_task(bench.queue.run())
    bench.hold = asyncio.Event()
    bench.queue.add("a")
    bench.queue.add("b")
    await settle()
    stopping = asyncio.create_task(bench.queue.stop(grace_seconds=10))
    await bench.clock.advance(9)
    assert not stopping.done()
    await bench.clock.advance(2)
    assert await stopping == 2
    async with asyncio.timeout(5):
        await running
    assert bench.running.total() == 0


async def test_a_worker_that_is_done_at_a_stop_takes_no_other_along() -> None:
    bench = Bench(workers=2)
    gates = {"a": asyncio.Event(), "b": asyncio.Event()}
    finished: list[str] = []

    async def reconcile(key: str) -> None:
        await gates[key].wait()
        finished.append(key)

    bench.queue._reconcile = reconcile
    running = asyncio.create_task(bench.queue.run())
    bench.queue.add("a")
    bench.queue.add("b")
    await settle()
    stopping = asyncio.create_task(bench.queue.stop(grace_seconds=10))
    for key, gate in gates.items():
        gate.set()
        await settle()
        assert finished[-1] == key
    assert await stopping == 0
    await running
