import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest
from aiohttp import web

from kilonova_api.kube.api import WatchEvent
from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.errors import Gone, ServerUnavailable, Unreachable
from kilonova_api.kube.resources import LEASE
from support.scripted_api import (
    answer_status,
    answer_stream,
    build_object,
    event_line,
    scripted_api,
)

ClientFactory = Callable[..., KubeClient]


async def _collect(client: KubeClient, into: list[WatchEvent]) -> None:
    events = client.watch(LEASE, "shop", resource_version="5", timeout_seconds=60)
    async with aclosing(events):
        async for event in events:
            into.append(event)  # noqa: PERF401 - the list shows how far it came


async def test_a_watch_gives_events_and_bookmarks_and_ends_in_order(
    client_of: ClientFactory,
) -> None:
    bookmark = {"metadata": {"resourceVersion": "9"}}
    added = event_line("ADDED", build_object("a", 6))
    stream = answer_stream(added[:17], added[17:] + event_line("BOOKMARK", bookmark))
    events: list[WatchEvent] = []
    async with scripted_api(stream) as api:
        await _collect(client_of(api), events)
    assert [(event.type, event.resource_version) for event in events] == [
        ("ADDED", "6"),
        ("BOOKMARK", "9"),
    ]
    assert api.seen[0].query == {
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": "5",
        "timeoutSeconds": "60",
    }


async def test_a_stream_that_is_cut_is_unreachable_after_its_last_whole_event(
    client_of: ClientFactory,
) -> None:
    line = event_line("ADDED", build_object("a", 6))
    events: list[WatchEvent] = []
    async with scripted_api(answer_stream(line, line[:9], cut=True)) as api:
        with pytest.raises(Unreachable, match="the watch broke"):
            await _collect(client_of(api), events)
    assert len(events) == 1


async def test_a_compacted_version_is_gone_by_answer_or_by_event(
    client_of: ClientFactory,
) -> None:
    expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "old"}
    script = answer_status(410, "Expired"), answer_stream(event_line("ERROR", expired))
    async with scripted_api(*script) as api:
        client = client_of(api)
        for _ in script:
            with pytest.raises(Gone):
                await _collect(client, [])


async def test_other_errors_in_a_stream_keep_their_class(
    client_of: ClientFactory,
) -> None:
    failed = {"kind": "Status", "code": 500, "message": "cache went away"}
    async with scripted_api(answer_stream(event_line("ERROR", failed))) as api:
        with pytest.raises(ServerUnavailable, match="cache went away"):
            await _collect(client_of(api), [])


@pytest.mark.parametrize("rubbish", [b"<html>\n", b'{"type":"ADDED"}\n', b"[]\n"])
async def test_a_stream_of_something_else_is_unreachable(
    client_of: ClientFactory, rubbish: bytes
) -> None:
    async with scripted_api(answer_stream(rubbish)) as api:
        with pytest.raises(Unreachable):
            await _collect(client_of(api), [])


async def test_closing_a_watch_closes_its_connection(client_of: ClientFactory) -> None:
    closed = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(event_line("ADDED", build_object("a", 6)))
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async with scripted_api(endless) as api:
        events = client_of(api).watch(LEASE, "shop", resource_version="5")
        async with aclosing(events):
            await anext(events)
        async with asyncio.timeout(5):
            await closed.wait()
