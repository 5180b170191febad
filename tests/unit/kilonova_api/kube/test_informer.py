import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from kilonova_api.kube.errors import (
    Call,
    Forbidden,
    KubeError,
    NotFound,
    StoreWentBack,
    TooManyRequests,
)
from kilonova_api.kube.informer import Informer, InformerSettings
from kilonova_api.kube.resources import LEASE, Key, KubeObject
from support.clock import FakeClock, settle
from support.memory_api import MemoryApi, build_unreachable

CALL = Call("list", "/x")


def _parse(obj: KubeObject) -> Any:
    return obj["value"]


class Watched:
    """An informer of a memory API, with everything its handler heard."""

    def __init__(self, api: MemoryApi, clock: FakeClock, **options: Any) -> None:
        self.api = api
        self.clock = clock
        self.heard: list[tuple[str, Any, Any]] = []
        self.went_back: list[tuple[int, int]] = []
        self.informer: Informer[Any] = Informer(
            api,
            LEASE,
            _parse,
            clock=clock,
            random=Random(1),
            on_store_went_back=lambda seen, got: self.went_back.append((seen, got)),
            **options,
        )
        self.informer.on_change(
            lambda key, old, new: self.heard.append((key.name, old, new))
        )

    @property
    def known(self) -> dict[str, Any]:
        return {key.name: value for key, value in self.informer.items().items()}


@asynccontextmanager
async def watching(api: MemoryApi, **options: Any) -> AsyncIterator[Watched]:
    watched = Watched(api, FakeClock(), **options)
    task = asyncio.create_task(watched.informer.run())
    await settle()
    try:
        yield watched
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _raised(watched: Watched) -> asyncio.Task[Any]:
    task = asyncio.create_task(watched.informer.run())
    await settle()
    return task


async def test_the_copy_follows_the_server() -> None:
    api = MemoryApi()
    api.put("a", value=1)
    async with watching(api) as watched:
        assert watched.informer.synced
        api.put("b", value=2)
        api.put("a", value=3)
        api.remove("b")
        await settle()
    assert watched.known == {"a": 3}
    assert watched.heard == [
        ("a", None, 1),
        ("b", None, 2),
        ("a", 1, 3),
        ("b", 2, None),
    ]
    assert watched.informer.find(Key("shop", "b")) is None
    with pytest.raises(KeyError):
        watched.informer.get(Key("shop", "b"))


async def test_an_ended_stream_is_resumed_without_a_new_list() -> None:
    api = MemoryApi()
    async with watching(api) as watched:
        api.put("a", value=1)
        await settle()
        api.end_streams()
        await watched.clock.advance(1)
        api.put("b", value=2)
        await settle()
    assert watched.known == {"a": 1, "b": 2}
    assert api.calls.count("list") == 1
    assert f"watch {api.version - 1}" in api.calls


async def test_a_broken_stream_is_resumed_after_a_look_at_the_store() -> None:
    api = MemoryApi()
    async with watching(api) as watched:
        api.put("a", value=1)
        await settle()
        api.end_streams(build_unreachable())
        await settle()
        assert watched.informer.last_error is not None
        api.put("b", value=2)
        await watched.clock.advance(1)
        assert watched.informer.last_error is None
        assert watched.known == {"a": 1, "b": 2}
    first = api.calls.index("watch 100")
    assert api.calls[first + 1 :] == ["list", "watch 101"]


async def test_a_stream_behind_the_list_that_was_looked_at_is_no_step_back() -> None:
    api = MemoryApi()
    async with watching(api) as watched:
        api.end_streams(build_unreachable())
        await settle()
        api.put("a", value=1)
        api.put("b", value=2)
        await watched.clock.advance(1)  # the list shows 102, then event 101 comes
        assert watched.known == {"a": 1, "b": 2}
        assert watched.informer.highest_version == 102


async def test_an_event_behind_the_one_before_shows_that_the_store_went_back() -> None:
    api = MemoryApi()
    watched = Watched(api, FakeClock())
    task = await _raised(watched)
    api.put("a", value=1)
    await settle()
    api.version = 50
    api.put("b", value=1)
    await settle()
    with pytest.raises(StoreWentBack, match="from 101 to 51"):
        task.result()


async def test_silence_leads_to_a_fresh_list_and_not_to_a_resume() -> None:
    api = MemoryApi()
    api.put("a", value=1)
    async with watching(api) as watched:
        api.deaf = True
        api.put("b", value=2)
        await watched.clock.advance(89)
        assert watched.known == {"a": 1}
        assert api.calls.count("list") == 1
        await watched.clock.advance(2)
        assert watched.known == {"a": 1, "b": 2}
    assert api.calls.count("list") == 2


async def test_bookmarks_break_the_silence_and_move_the_place_to_resume() -> None:
    api = MemoryApi()
    async with watching(api) as watched:
        for _ in range(5):
            await watched.clock.advance(60)
            api.version += 10  # other kinds were written
            api.bookmark()
            await settle()
        api.end_streams()
        await watched.clock.advance(2)
    assert api.calls.count("list") == 1
    assert api.calls[-1] == "watch 150"
    assert watched.informer.highest_version == 150
    assert watched.informer.last_heard_at == pytest.approx(1300, abs=1)


async def test_a_compacted_version_is_listed_afresh_and_its_deletions_are_told() -> (
    None
):
    api = MemoryApi()
    api.put("a", value=1)
    api.put("b", value=2)
    async with watching(api) as watched:
        api.before_call = _once_offline(api)
        api.end_streams(build_unreachable())
        await settle()
        api.remove("a")
        api.put("b", value=3)
        api.compact()
        watched.heard.clear()
        await watched.clock.advance(20)
        assert watched.known == {"b": 3}
    assert sorted(watched.heard, key=str) == [("a", 1, None), ("b", 2, 3)]


def _once_offline(api: MemoryApi) -> Any:
    def fail(_: str) -> None:
        api.before_call = None
        raise build_unreachable()

    return fail


async def test_an_object_made_anew_under_its_name_is_told_as_gone_and_new() -> None:
    api = MemoryApi()
    api.put("a", value=1)
    async with watching(api) as watched:
        api.deaf = True
        api.remove("a")
        api.put("a", value=2)
        await watched.clock.advance(100)
    assert watched.heard == [("a", None, 1), ("a", 1, None), ("a", None, 2)]


@pytest.mark.parametrize("error", [Forbidden(CALL), NotFound(CALL)])
async def test_what_cannot_be_read_is_not_gone(error: KubeError) -> None:
    api = MemoryApi()
    api.put("a", value=1)
    async with watching(api) as watched:

        def refuse(what: str) -> None:
            raise error

        api.before_call = refuse
        api.end_streams(error)
        await watched.clock.advance(3600)
        assert watched.known == {"a": 1}
        assert watched.informer.last_error is error
        assert watched.informer.last_heard_at < watched.clock.boottime() - 3000
        tries = len(api.calls)
        assert 100 < tries < 400  # every 15 to 30 seconds
        api.before_call = None
        await watched.clock.advance(31)
        assert watched.informer.last_error is None
    assert watched.heard == [("a", None, 1)]


async def test_a_server_that_asks_for_a_pause_gets_it() -> None:
    api = MemoryApi()
    busy = TooManyRequests(CALL, retry_after_seconds=50)

    def refuse(what: str) -> None:
        raise busy

    api.before_call = refuse
    async with watching(api) as watched:
        await watched.clock.advance(49)
        assert len(api.calls) == 1
        await watched.clock.advance(3)
        assert len(api.calls) == 2


async def test_a_server_that_ends_every_stream_at_once_is_not_flooded() -> None:
    api = MemoryApi()

    def end(what: str) -> None:
        if what.startswith("watch"):
            asyncio.get_running_loop().call_soon(
                lambda: asyncio.get_running_loop().call_soon(api.end_streams)
            )

    api.before_call = end
    async with watching(api) as watched:
        await watched.clock.advance(80)
    watches = sum(call.startswith("watch") for call in api.calls)
    assert 3 < watches < 15


async def test_a_list_below_the_highest_version_ends_the_informer() -> None:
    api = MemoryApi()
    saved = api.save()
    api.put("a", value=1)
    watched = Watched(api, FakeClock())
    task = await _raised(watched)
    api.restore(saved)  # the resumed watch would be deaf for ever
    await watched.clock.advance(100)
    with pytest.raises(StoreWentBack, match="went back from 101 to 100"):
        task.result()
    assert watched.went_back == [(101, 100)]
    assert watched.known == {"a": 1}


async def test_a_broken_stream_finds_out_at_once_that_the_store_went_back() -> None:
    api = MemoryApi()
    saved = api.save()
    api.put("a", value=1)
    watched = Watched(api, FakeClock())
    task = await _raised(watched)
    api.end_streams(build_unreachable())
    await settle()
    api.restore(saved)
    await watched.clock.advance(1)
    with pytest.raises(StoreWentBack):
        task.result()


async def test_an_older_object_in_a_newer_list_shows_that_the_store_went_back() -> None:
    api = MemoryApi()
    api.put("a", value=1)
    saved = api.save()
    api.put("a", value=2)
    watched = Watched(api, FakeClock())
    task = await _raised(watched)
    api.restore(saved)
    for _ in range(10):  # new writes lift the version over the one seen
        api.put("b", value=0)
    await watched.clock.advance(100)
    with pytest.raises(StoreWentBack, match="Lease shop/a"):
        task.result()


async def test_the_highest_version_of_an_earlier_process_counts() -> None:
    watched = Watched(MemoryApi(version=100), FakeClock(), floor=500)
    task = await _raised(watched)
    with pytest.raises(StoreWentBack):
        task.result()
    assert watched.went_back == [(500, 100)]


async def test_an_object_that_cannot_be_parsed_stops_nothing_and_leaks_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = MemoryApi()
    api.put("a", value=1)
    async with watching(api) as watched:
        api.put("a", secret="hunter2")
        api.put("b", secret="hunter2")
        api.put("c", value=3)
        await settle()
        assert watched.known == {"a": 1, "c": 3}
        bad = {key.name: reason for key, reason in watched.informer.unparsable.items()}
        assert bad == {"a": "KeyError", "b": "KeyError"}
        api.put("a", value=4)
        api.remove("b")
        await settle()
        assert watched.known == {"a": 4, "c": 3}
        assert not watched.informer.unparsable
    assert "hunter2" not in caplog.text


async def test_an_unparsable_object_is_not_swept_away_by_a_list() -> None:
    api = MemoryApi()
    api.put("a", value=1)
    async with watching(api) as watched:
        api.put("a", other=1)
        await settle()
        api.deaf = True
        await watched.clock.advance(100)
    assert api.calls.count("list") == 2
    assert watched.known == {"a": 1}


async def test_a_handler_that_fails_does_not_keep_others_from_hearing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = MemoryApi()
    watched = Watched(api, FakeClock())
    heard: list[Key] = []

    def fail(key: Key, old: Any, new: Any) -> None:
        raise RuntimeError("boom")

    watched.informer.on_change(fail)
    watched.informer.on_change(lambda key, old, new: heard.append(key))
    task = asyncio.create_task(watched.informer.run())
    api.put("a", value=1)
    await settle()
    task.cancel()
    assert heard == [Key("shop", "a")]
    assert "a handler of Lease shop/a failed" in caplog.text


async def test_a_big_list_comes_in_pages_and_is_swept_at_its_end() -> None:
    api = MemoryApi()
    for number in range(25):
        api.put(f"n{number:02}", value=number)
    settings = InformerSettings(page_size=10)
    async with watching(api, settings=settings) as watched:
        assert len(watched.informer) == 25
        assert api.calls.count("next page") == 3
        assert not [event for event in watched.heard if event[2] is None]


async def test_a_list_that_breaks_off_between_pages_tells_no_deletion() -> None:
    api = MemoryApi()
    for number in range(25):
        api.put(f"n{number:02}", value=number)
    settings = InformerSettings(page_size=10)
    async with watching(api, settings=settings) as watched:
        watched.heard.clear()

        def fail(what: str) -> None:
            if what == "next page":
                raise build_unreachable()

        api.before_call = fail
        api.deaf = True
        await watched.clock.advance(200)
        assert len(watched.informer) == 25
    assert watched.heard == []


async def test_indexes_follow_the_values() -> None:
    api = MemoryApi()
    api.put("a", value="hv1")
    watched = Watched(api, FakeClock())
    watched.informer.add_index("host", lambda value: [value])
    task = asyncio.create_task(watched.informer.run())
    await settle()
    api.put("b", value="hv1")
    api.put("c", value="hv2")
    await settle()
    assert watched.informer.by_index("host", "hv1") == ["hv1", "hv1"]
    api.put("a", value="hv2")
    api.remove("b")
    await settle()
    assert watched.informer.by_index("host", "hv1") == []
    assert watched.informer.by_index("host", "hv2") == ["hv2", "hv2"]
    task.cancel()


async def test_waiting_for_the_first_list_ends_with_it() -> None:
    api = MemoryApi()
    watched = Watched(api, FakeClock())
    waiting = asyncio.create_task(watched.informer.wait_synced())
    await settle()
    assert not waiting.done()
    task = asyncio.create_task(watched.informer.run())
    async with asyncio.timeout(5):
        await waiting
    task.cancel()
