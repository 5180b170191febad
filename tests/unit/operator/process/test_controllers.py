"""Controllers run under their role's Lease, and errors end what they must."""

from random import Random
from typing import Any

import pytest

from kilonova_api.kube.errors import LeaseLost
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.refusals import DatabaseWentBack, StaleTerm
from kilonova_operator.process.controllers import ControllerRunner
from kilonova_operator.process.supervisor import Supervisor
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.control.reconciler import Controller, RetryAfter
from support.clock import FakeClock, settle

WEB = Key("shop", "web")


class Leases:
    def __init__(self) -> None:
        self.lost = False

    def check(self, role: str) -> None:
        if self.lost:
            raise LeaseLost(role, "taken")


class Stage:
    def __init__(self) -> None:
        self.clock, self.feeds, self.leases = FakeClock(), Feeds(), Leases()
        self.supervisor = Supervisor()
        self.seen: list[Key] = []
        self.answers: list[RetryAfter | Exception | None] = []
        leadership: Any = self.leases
        runner = ControllerRunner(
            self.feeds, leadership, self.supervisor, self.clock, Random(1)
        )
        controller = Controller("test", self._reconcile, (Feed(FeedKind.HOSTS),))
        self.queues = runner.start("super", [controller])

    async def _reconcile(self, key: Key) -> RetryAfter | None:
        self.seen.append(key)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def publish(self) -> None:
        self.feeds.publish(FeedKind.HOSTS, WEB)
        await settle()


@pytest.fixture
async def stage() -> Any:
    made = Stage()
    yield made
    await made.supervisor.end()


async def test_a_published_key_is_reconciled(stage: Stage) -> None:
    await stage.publish()
    assert stage.seen == [WEB]


async def test_retry_after_brings_the_key_back(stage: Stage) -> None:
    stage.answers = [RetryAfter(30)]
    await stage.publish()
    await stage.clock.advance(29)
    assert stage.seen == [WEB]
    await stage.clock.advance(1)
    assert stage.seen == [WEB, WEB]


async def test_who_waits_for_long_comes_back_ever_later(stage: Stage) -> None:
    stage.answers = [RetryAfter(5, most_seconds=120) for _ in range(1000)]
    await stage.publish()
    await stage.clock.advance(3600)
    assert 30 <= len(stage.seen) <= 70
    await stage.publish()
    seen = len(stage.seen)
    await stage.clock.advance(5)
    assert len(stage.seen) > seen, "news make the pause short again"


async def test_a_failure_is_repeated_and_ends_nothing(stage: Stage) -> None:
    stage.answers = [RuntimeError("a bug")]
    await stage.publish()
    await stage.clock.advance(10)
    assert len(stage.seen) == 2


@pytest.mark.parametrize(
    "error", [StaleTerm("api", 1, 2, "other"), DatabaseWentBack("api", "restored")]
)
async def test_what_forbids_to_go_on_ends_the_process(
    stage: Stage, error: Exception
) -> None:
    stage.answers = [error]
    await stage.publish()
    with pytest.raises(type(error)):
        await stage.supervisor.wait_failed()


async def test_nothing_is_reconciled_without_the_lease(stage: Stage) -> None:
    stage.leases.lost = True
    await stage.publish()
    assert stage.seen == []
    with pytest.raises(LeaseLost):
        await stage.supervisor.wait_failed()
