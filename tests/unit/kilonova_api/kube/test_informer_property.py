"""Whatever happens between server and informer: in the end they agree."""

import asyncio
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_api.kube.errors import Call, Gone
from kilonova_api.kube.informer import Informer, InformerSettings
from kilonova_api.kube.resources import LEASE
from support.clock import FakeClock, settle
from support.memory_api import MemoryApi, build_unreachable

NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(
        st.sampled_from(
            ["bookmark", "end", "cut", "gone", "compact", "deaf", "hear", "fail", "run"]
        ),
        st.just(""),
    ),
    st.tuples(st.just("wait"), st.sampled_from(["0.3", "5", "60", "200"])),
)


async def _take_step(api: MemoryApi, clock: FakeClock, step: str, what: str) -> None:
    match step:
        case "put":
            api.put(what, value=api.version)
        case "remove":
            api.remove(what)
        case "bookmark":
            api.bookmark()
        case "end":
            api.end_streams()
        case "cut":
            api.end_streams(build_unreachable())
        case "gone":
            api.end_streams(Gone(Call("watch", "/x")))
        case "compact":
            api.compact()
        case "deaf":
            api.deaf = True
        case "hear":
            api.deaf = False
        case "fail":
            api.before_call = _fail_next(api)
        case "wait":
            await clock.advance(float(what))
        case "run":
            await settle()


def _fail_next(api: MemoryApi) -> Any:
    def fail(_: str) -> None:
        api.before_call = None
        raise build_unreachable()

    return fail


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_any_interleaving_ends_in_the_servers_state_and_every_change_was_told(
    steps: list[tuple[str, str]],
) -> None:
    asyncio.run(_check(steps))


async def _check(steps: list[tuple[str, str]]) -> None:
    api, clock = MemoryApi(), FakeClock()
    api.put("a", value=0)
    informer: Informer[Any] = Informer(
        api,
        LEASE,
        lambda obj: (obj["metadata"]["uid"], obj["value"]),
        clock=clock,
        random=Random(1),
        settings=InformerSettings(page_size=2),
    )
    told: dict[str, Any] = {}

    def hear(key: Any, old: Any, new: Any) -> None:
        assert told.get(key.name) == old
        assert (old and new and old[0] != new[0]) is not True, "uid changed in place"
        told[key.name] = new

    informer.on_change(hear)
    task = asyncio.create_task(informer.run())
    for step, what in steps:
        await _take_step(api, clock, step, what)
    api.deaf, api.before_call = False, None
    await clock.advance(200)
    assert not task.done(), task
    task.cancel()
    server = {
        key.name: (obj["metadata"]["uid"], obj["value"])
        for key, obj in api.objects.items()
    }
    assert {key.name: value for key, value in informer.items().items()} == server
    assert {name: value for name, value in told.items() if value} == server
