"""A guest that this host cannot run is tried once a pause, whatever wakes it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kilonova_agent.domain.faults import GuestRejected
from kilonova_agent.drivers.base import EventHandler
from kilonova_agent.services.reconciler import FAULT_RETRY_SECONDS
from kilonova_api.instance import Instance
from kilonova_api.kube.resources import Key, KubeObject
from kilonova_api.names import host_namespace
from support.clock import FakeClock
from support.fake_driver import FakeDriver
from support.file_systems import FileCut
from support.image_server import ImageServer
from support.instances import make_instance
from support.memory_api import build_unreachable
from support.mortal_agent import NODE, MortalAgent, mortal_agent

UUID = "11111111-2222-4333-8444-555555555555"
MINUTES = 10
spawn = FakeDriver.spawn


class Refusals:
    """libvirt, which refuses a guest each time in other words, and tells of it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.attempts = 0
        self.over = False
        self._tell: EventHandler = lambda _: None
        myself = self

        async def refuse(driver: FakeDriver, *args: Any, **kwargs: Any) -> None:
            myself.attempts += 1
            myself.tell()  # a domain was defined
            if myself.over:
                return await spawn(driver, *args, **kwargs)
            myself.tell()  # and did not start
            seconds, pid = divmod(myself.attempts, 60)
            raise GuestRejected(
                f"process exited: 2026-11-22T15:{seconds:02}:{pid:02}.123456Z "
                f"qemu-system-x86_64: no memory (pid {4000 + myself.attempts})"
            )

        patch.setattr(FakeDriver, "spawn", refuse)
        patch.setattr(FakeDriver, "on_event", self._listen)

    def tell(self) -> None:
        """Tell of a change of the guest."""
        self._tell(UUID)

    def _listen(self, handler: EventHandler) -> None:
        self._tell = handler


class Statuses:
    """Every status that the guest's Instance ever had."""

    def __init__(self, host: MortalAgent) -> None:
        self.written: list[dict[str, Any]] = []
        host.kube.handlers.append(self._note)

    def _note(self, kind: str, _: KubeObject | None, new: KubeObject | None) -> None:
        status = (new or {}).get("status")
        if kind == "Instance" and status and status not in self.written[-1:]:
            self.written.append(status)

    def faults(self) -> list[str]:
        """What was said to be wrong, each wording once."""
        said = (status.get("fault") for status in self.written)
        return sorted({fault["message"] for fault in said if fault})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> Refusals:
    return Refusals(monkeypatch)


@pytest.fixture
async def host(
    tmp_path: Path, clock: FakeClock, refusals: Refusals
) -> AsyncIterator[MortalAgent]:
    """A host whose agent runs; refusals were set up before it."""
    cut = FileCut(lambda _: False)
    async with mortal_agent(tmp_path / "state", cut, clock=clock) as running:
        yield running


async def order(host: MortalAgent, images: ImageServer, clock: FakeClock) -> None:
    """Order a guest, and wait until it was refused."""
    image = images.image_of("blank.qcow2", format_="qcow2")
    host.order(make_instance(host=NODE, name=UUID, image=image))
    async with asyncio.timeout(20):
        while host.state(UUID) != "ERROR":
            host._accept()
            await pass_seconds(host, clock, 0.1)
            await asyncio.sleep(0.01)  # the image's server is a real one


async def pass_seconds(host: MortalAgent, clock: FakeClock, seconds: float) -> None:
    """Let time pass, and the agent do all there is to do then."""
    await clock.advance(seconds)
    parts = host.agent._parts
    if parts is not None:
        await parts.queue.wait_idle()


async def test_attempts_and_writes_for_a_refused_guest_are_bounded_by_its_pauses(
    host: MortalAgent, images: ImageServer, clock: FakeClock, refusals: Refusals
) -> None:
    statuses = Statuses(host)
    await order(host, images, clock)

    for _ in range(MINUTES * 60):
        refusals.tell()
        await pass_seconds(host, clock, 1.0)

    most = MINUTES * 60 / FAULT_RETRY_SECONDS + 1
    assert most - 2 <= refusals.attempts <= most
    assert len(statuses.faults()) == 1
    # One that says what is, and one at most that takes it back for an attempt.
    assert len(statuses.written) <= 2 * refusals.attempts


async def test_what_is_written_of_a_refused_guest_calls_for_no_attempt(
    host: MortalAgent, images: ImageServer, clock: FakeClock, refusals: Refusals
) -> None:
    await order(host, images, clock)
    key = Key(host_namespace(NODE), UUID)
    for number in range(20):
        found = host.kube.objects["Instance", key]
        message = {"message": f"written {number}", "reason": "GuestRejected"}
        status = found["status"] | {"fault": found["status"]["fault"] | message}
        host.kube._put(Instance.resource(), key, found | {"status": status})
        await pass_seconds(host, clock, 1.0)
    assert refusals.attempts == 1


async def test_a_failure_that_could_not_be_told_is_told_before_the_next_attempt(
    host: MortalAgent,
    images: ImageServer,
    clock: FakeClock,
    refusals: Refusals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    untold: list[str] = []
    apply = host.kube.apply_existing

    async def lose_two(resource: Any, body: Any, **how: Any) -> Any:
        fault = body.get("status", {}).get("fault")
        if fault and len(untold) < 2:
            untold.append(fault["reason"])
            raise build_unreachable()
        return await apply(resource, body, **how)

    monkeypatch.setattr(host.kube, "apply_existing", lose_two)
    began_at = clock.boottime()

    await order(host, images, clock)

    assert untold == ["GuestRejected", "GuestRejected"]
    assert clock.boottime() - began_at < FAULT_RETRY_SECONDS / 2
    assert refusals.attempts == 1


async def test_another_order_is_tried_at_once(
    host: MortalAgent, images: ImageServer, clock: FakeClock, refusals: Refusals
) -> None:
    await order(host, images, clock)
    refusals.over = True

    await host.change(UUID, serverGeneration=2)
    await pass_seconds(host, clock, 1.0)

    assert refusals.attempts == 2
    assert host.state(UUID) == "ACTIVE"


async def test_a_guest_that_could_be_started_after_all_is_started_again_at_once(
    host: MortalAgent, images: ImageServer, clock: FakeClock, refusals: Refusals
) -> None:
    await order(host, images, clock)
    refusals.over = True
    await pass_seconds(host, clock, FAULT_RETRY_SECONDS + 1)
    assert host.state(UUID) == "ACTIVE"
    await host.change(UUID, powerState="Running", serverGeneration=2)
    await pass_seconds(host, clock, 5.0)

    await FakeDriver(host.hypervisor).power_off(UUID)
    refusals.tell()
    await pass_seconds(host, clock, 5.0)

    assert host.hypervisor.running() == [UUID]
