import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.clock import Deadline
from kilonova_api.kube.errors import (
    SchemaTooOld,
    ServerUnavailable,
    TooManyRequests,
    Unreachable,
)
from kilonova_api.kube.resources import LEASE
from support.clock import HastyClock
from support.scripted_api import (
    Answer,
    answer_json,
    answer_status,
    hang_up,
    scripted_api,
)

ClientFactory = Callable[..., KubeClient]
DONE = {"metadata": {"uid": "u"}}
BODY: dict[str, Any] = {"metadata": {"namespace": "shop", "name": "web-0"}}


def _apply(client: KubeClient, **options: Any) -> Any:
    return client.apply_existing(LEASE, BODY, uid="u", field_manager="m", **options)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(answer_status(503), id="503"),
        pytest.param(answer_status(500, "InternalError"), id="500"),
        pytest.param(hang_up, id="hung up"),
    ],
)
async def test_an_apply_with_uid_is_repeated_until_it_is_answered(
    client_of: ClientFactory, failure: Answer
) -> None:
    async with scripted_api(failure, failure, answer_json(DONE)) as api:
        assert await _apply(client_of(api)) == DONE
    assert len(api.seen) == 3


async def test_pauses_between_attempts_grow(
    client_of: ClientFactory, hasty_clock: HastyClock
) -> None:
    script = [answer_status(503)] * 5 + [answer_json(DONE)]
    async with scripted_api(*script) as api:
        await _apply(client_of(api))
    steps = [0.1, 0.2, 0.4, 0.8, 1.6]
    assert len(hasty_clock.slept) == len(steps)
    for slept, step in zip(hasty_clock.slept, steps, strict=True):
        assert step / 2 <= slept <= step


async def test_an_overloaded_server_is_left_alone_for_as_long_as_it_asks(
    client_of: ClientFactory, hasty_clock: HastyClock
) -> None:
    busy = answer_status(429, "TooManyRequests", Retry_After="7")
    async with scripted_api(busy, answer_json(DONE)) as api:
        await _apply(client_of(api))
    assert 7 < hasty_clock.slept[0] < 7.2


async def test_a_pause_longer_than_the_deadline_is_the_callers_to_take(
    client_of: ClientFactory, hasty_clock: HastyClock
) -> None:
    busy = answer_status(429, "TooManyRequests", Retry_After="60")
    async with scripted_api(busy) as api:
        with pytest.raises(TooManyRequests) as caught:
            await _apply(client_of(api))
    assert caught.value.retry_after_seconds == 60
    assert hasty_clock.slept == []


async def test_attempts_end_with_the_deadline(
    client_of: ClientFactory, hasty_clock: HastyClock
) -> None:
    async with scripted_api(answer_status(503)) as api:
        deadline = Deadline.after(hasty_clock, 2.0)
        with pytest.raises(ServerUnavailable):
            await _apply(client_of(api), deadline=deadline)
    assert sum(hasty_clock.slept) <= 2.0
    assert 3 <= len(api.seen) <= 8


async def test_a_schema_that_is_too_old_is_not_asked_twice(
    client_of: ClientFactory,
) -> None:
    message = (
        "failed to create typed patch object (shop/web-0; v1, Kind=X): "
        ".spec.new: field not declared in schema"
    )
    async with scripted_api(answer_status(500, "", message)) as api:
        with pytest.raises(SchemaTooOld, match=r"\.spec\.new.*Apply the CRDs"):
            await _apply(client_of(api))
    assert len(api.seen) == 1


@pytest.mark.parametrize("failure", [answer_status(503), hang_up])
async def test_what_may_have_been_created_is_not_created_again(
    client_of: ClientFactory, failure: Answer
) -> None:
    async with scripted_api(failure) as api:
        with pytest.raises((ServerUnavailable, Unreachable)):
            await client_of(api).create(LEASE, BODY)
        with pytest.raises((ServerUnavailable, Unreachable)):
            await client_of(api).apply_new(LEASE, BODY, field_manager="m")
    assert len(api.seen) == 2


async def test_a_create_that_was_turned_away_goes_out_again(
    client_of: ClientFactory,
) -> None:
    busy = answer_status(429, "TooManyRequests", Retry_After="1")
    async with scripted_api(busy, answer_json({"ok": 1}, 201)) as api:
        assert await client_of(api).create(LEASE, BODY) == {"ok": 1}
    assert len(api.seen) == 2


async def test_a_server_that_is_not_there_is_unreachable_and_nothing_was_sent(
    client_of: ClientFactory,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(Unreachable, match="did not answer") as caught:
        await client_of(f"http://127.0.0.1:{port}").get(LEASE, "shop", "web-0")
    assert not caught.value.sent


async def test_a_server_that_does_not_answer_costs_no_more_than_the_deadline(
    client_of: ClientFactory, hasty_clock: HastyClock
) -> None:
    release = asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    async with scripted_api(silent) as api:
        deadline = Deadline.after(hasty_clock, 0.2)
        async with asyncio.timeout(5):
            with pytest.raises(Unreachable) as caught:
                await client_of(api).get(LEASE, "shop", "web-0", deadline=deadline)
        release.set()
    assert caught.value.sent


async def test_no_time_left_asks_nothing(
    client_of: ClientFactory, hasty_clock: HastyClock
) -> None:
    async with scripted_api(answer_json({})) as api:
        with pytest.raises(Unreachable, match="no time left"):
            await _apply(client_of(api), deadline=Deadline.after(hasty_clock, 0))
    assert api.seen == []
