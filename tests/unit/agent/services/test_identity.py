"""The host's token and the canary."""

import asyncio
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from kilonova_agent.services.canary import Canary
from kilonova_agent.services.host_token import HostToken
from kilonova_api.kube.api import IssuedToken
from kilonova_api.kube.errors import Call, Forbidden, NotFound, Unreachable
from kilonova_api.kube.resources import SERVICE_ACCOUNT
from support.clock import FakeClock

CALL = Call.on("create", SERVICE_ACCOUNT, "kilonova-hosts", "hv1")


class Issuer:
    """Answers token requests by its script; the last answer again and again."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, int]] = []

    async def create_token(
        self, namespace: str, account: str, *, expiration_seconds: int
    ) -> IssuedToken:
        self.asked.append((namespace, account, expiration_seconds))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return IssuedToken(answer, datetime(2026, 1, 1, tzinfo=UTC))


def make_token(issuer: Any, clock: FakeClock) -> HostToken:
    return HostToken(
        issuer,
        namespace="kilonova-hosts",
        account="hv1",
        clock=clock,
        random=Random(1),
    )


async def test_a_token_is_renewed_at_two_thirds_of_its_life() -> None:
    issuer, clock = Issuer("one", "two"), FakeClock()
    token = make_token(issuer, clock)

    assert await token.get() == "one"
    await clock.advance(2399)
    assert await token.get() == "one"
    await clock.advance(1)
    assert await token.get() == "two"
    assert issuer.asked == [("kilonova-hosts", "hv1", 3600)] * 2


async def test_many_at_once_ask_once() -> None:
    issuer = Issuer("one")
    token = make_token(issuer, FakeClock())

    assert set(await asyncio.gather(*(token.get() for _ in range(9)))) == {"one"}
    assert len(issuer.asked) == 1


async def test_an_old_token_serves_while_no_new_one_can_be_had() -> None:
    gone = Unreachable(CALL, "down", sent=False)
    issuer, clock = Issuer("one", gone), FakeClock()
    token = make_token(issuer, clock)
    await token.get()
    await clock.advance(3000)

    assert await token.get() == "one"


async def test_a_server_that_refuses_is_not_asked_by_every_call() -> None:
    issuer, clock = Issuer(NotFound(CALL)), FakeClock()
    token = make_token(issuer, clock)
    for _ in range(20):
        with pytest.raises(NotFound):
            await token.get()
    assert len(issuer.asked) == 1
    await clock.advance(30)
    issuer.answers = ["back"]

    assert await token.get() == "back"


async def test_a_rejected_token_is_asked_for_anew() -> None:
    issuer = Issuer("one", "two")
    token = make_token(issuer, FakeClock())
    await token.get()
    token.reject()
    assert await token.get() == "two"


def make_canary(issuer: Any, clock: FakeClock) -> Canary:
    return Canary(
        issuer,
        namespace="kilonova-hosts",
        account="canary",
        interval_seconds=3600,
        clock=clock,
        random=Random(1),
    )


async def test_a_refused_canary_is_asked_hourly() -> None:
    issuer, clock = Issuer(Forbidden(CALL)), FakeClock()
    canary = make_canary(issuer, clock)
    task = asyncio.create_task(canary.run())
    await clock.advance(3 * 3600)
    task.cancel()

    assert not canary.policy_missing
    assert len(issuer.asked) in {3, 4}


async def test_a_canary_that_is_given_says_so_and_asks_no_more() -> None:
    issuer, clock = Issuer(Forbidden(CALL), "token"), FakeClock()
    canary = make_canary(issuer, clock)
    heard: list[str] = []
    canary.on_change(lambda: heard.append("missing"))
    task = asyncio.create_task(canary.run())
    await clock.advance(3 * 3600)

    assert task.done()
    assert canary.policy_missing
    assert heard == ["missing"]
    assert len(issuer.asked) == 14


async def test_a_policy_that_bites_a_moment_after_its_installation_is_not_missing() -> (
    None
):
    issuer, clock = Issuer("token", "token", Forbidden(CALL)), FakeClock()
    canary = make_canary(issuer, clock)
    task = asyncio.create_task(canary.run())
    await clock.advance(1800)
    task.cancel()

    assert not canary.policy_missing
    assert len(issuer.asked) == 3


async def test_no_answer_is_no_verdict() -> None:
    issuer, clock = Issuer(Unreachable(CALL, "down", sent=False)), FakeClock()
    canary = make_canary(issuer, clock)
    task = asyncio.create_task(canary.run())
    await clock.advance(600)
    task.cancel()

    assert not canary.policy_missing
    assert len(issuer.asked) > 5
