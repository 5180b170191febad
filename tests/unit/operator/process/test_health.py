"""Probes say whether to restart, and what is waited for."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from kilonova_operator.process.health import Health, HealthServer


class Stage:
    def __init__(self) -> None:
        self.health = Health()
        self.alive = True
        self.server = HealthServer(self.health, self._pulse)

    async def _pulse(self) -> bool:
        return self.alive

    async def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            body: dict[str, Any] = await answer.json()
            return answer.status, body


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    await made.server.start("127.0.0.1", 0)
    yield made
    await made.server.close()


async def test_it_is_not_ready_before_it_works_and_says_why(stage: Stage) -> None:
    stage.health.waiting("database api is unavailable: refused")
    status, body = await stage.ask("/readyz")
    assert status == 503
    assert body["stage"] == "database api is unavailable: refused"
    stage.health.working("holding super")
    assert (await stage.ask("/readyz"))[0] == 200


async def test_waiting_for_a_database_is_no_reason_to_restart(stage: Stage) -> None:
    stage.health.waiting("database api is unavailable")
    assert (await stage.ask("/healthz"))[0] == 200


async def test_a_loop_that_stands_still_is(stage: Stage) -> None:
    stage.alive = False
    assert (await stage.ask("/healthz"))[0] == 503


async def test_problems_are_shown_while_they_last(stage: Stage) -> None:
    stage.health.note("store watch", "no answer")
    assert (await stage.ask("/readyz"))[1]["problems"] == {"store watch": "no answer"}
    stage.health.note("store watch", None)
    assert (await stage.ask("/readyz"))[1]["problems"] == {}
