"""Whatever is added whenever: one reconcile per key at a time, no key lost."""

import asyncio
from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_api.kube.workqueue import QueueSettings, WorkQueue
from support.clock import FakeClock, settle

KEYS = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("add"), KEYS, st.just(0.0)),
    st.tuples(st.just("later"), KEYS, st.sampled_from([0.0, 0.5, 3.0, 700.0])),
    st.tuples(st.just("fail"), KEYS, st.just(0.0)),
    st.tuples(st.just("finish"), KEYS, st.just(0.0)),
    st.tuples(st.just("turn"), KEYS, st.just(0.0)),
    st.tuples(st.just("wait"), KEYS, st.sampled_from([0.1, 1.0, 5.0])),
)


class Model:
    """Counts wishes per key; a run answers all that were made before it began."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.unanswered: set[str] = set()
        self.running: Counter[str] = Counter()
        self.failing: Counter[str] = Counter()
        self.gates: dict[str, asyncio.Event] = {}
        self.open = False
        self.queue: WorkQueue[str] = WorkQueue(
            "test",
            self.reconcile,
            clock=self.clock,
            random=Random(1),
            settings=QueueSettings(workers=2),
            on_error=lambda key, error, failures: None,
        )

    async def reconcile(self, key: str) -> None:
        assert not self.running[key], f"two reconciles of {key} at once"
        assert self.running.total() < 2, "more runs than workers"
        self.running[key] += 1
        self.unanswered.discard(key)
        try:
            if not self.open:
                await self.gates.setdefault(key, asyncio.Event()).wait()
                self.gates.pop(key, None)
            if self.failing[key]:
                self.failing[key] -= 1
                self.unanswered.add(key)  # a failed run answers nothing
                raise ValueError(key)
        finally:
            self.running[key] -= 1

    async def take(self, step: str, key: str, seconds: float) -> None:
        match step:
            case "add":
                self.unanswered.add(key)
                self.queue.add(key)
            case "later":
                self.unanswered.add(key)
                self.queue.add_after(key, seconds)
            case "fail":
                self.failing[key] += 1
            case "finish" if key in self.gates:
                self.gates[key].set()
            case "turn":
                await asyncio.sleep(0)
            case "wait":
                await self.clock.advance(seconds)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_no_key_is_reconciled_twice_at_once_and_none_is_lost(
    steps: list[tuple[str, str, float]],
) -> None:
    asyncio.run(_check(steps))


async def _check(steps: list[tuple[str, str, float]]) -> None:
    model = Model()
    task = asyncio.create_task(model.queue.run())
    for step in steps:
        await model.take(*step)
    model.open = True
    for gate in list(model.gates.values()):
        gate.set()
    await settle()
    await model.clock.advance(40 * 300)
    assert not task.done(), task
    assert model.unanswered == set()
    assert len(model.queue) == 0
    assert (model.queue.depth, model.queue.running) == (0, 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
