"""A host that failed to build a guest says what is left of it, and keeps its word."""

from typing import Any

import pytest

from kilonova_agent.domain.faults import GuestRejected
from kilonova_agent.drivers.base import DriverUnavailable
from kilonova_api.instance import Instance, InstanceStatus
from kilonova_api.kube.resources import Key
from kilonova_api.names import host_namespace
from support.fake_driver import FakeDriver
from support.image_server import ImageServer
from support.instances import make_instance
from support.mortal_agent import NODE, MortalAgent

UUID = "11111111-2222-4333-8444-555555555555"
spawn, find_guest = FakeDriver.spawn, FakeDriver.find_guest


def order(host: MortalAgent, images: ImageServer) -> None:
    image = images.image_of("blank.qcow2", format_="qcow2")
    host.order(make_instance(host=NODE, name=UUID, image=image))


def status_of(host: MortalAgent) -> InstanceStatus:
    found = host.kube.objects["Instance", Key(host_namespace(NODE), UUID)]
    return Instance.model_validate(found).status


async def reject(*_args: Any, **_kwargs: Any) -> None:
    raise GuestRejected("no")


async def look(host: MortalAgent) -> None:
    assert host.agent._parts is not None
    host.agent._parts.queue.add(UUID)
    await host.agent._parts.queue.wait_idle()


def end_pause(host: MortalAgent) -> None:
    """Let the time pass after which a fault is looked at again."""
    assert host.agent._parts is not None
    host.agent._parts.reconciler._builds._failed.clear()


async def test_a_refused_guest_is_said_to_be_off(
    host: MortalAgent, images: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeDriver, "spawn", reject)
    order(host, images)
    await host.until_state(UUID, "ERROR")
    status = status_of(host)
    assert (status.power_state, status.built_at) == ("Shutdown", None)


async def test_a_guest_that_runs_in_spite_of_a_fault_is_said_to_run(
    host: MortalAgent, images: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start_and_reject(driver: FakeDriver, *args: Any, **kwargs: Any) -> None:
        await spawn(driver, *args, **kwargs)
        await reject()

    monkeypatch.setattr(FakeDriver, "spawn", start_and_reject)
    order(host, images)
    await host.until(lambda: status_of(host).fault is not None, "the fault is said")
    assert status_of(host).power_state == "Running"


async def test_no_fault_is_told_while_nobody_can_look_at_the_guest(
    host: MortalAgent, images: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[bool] = []

    async def fail(*_args: Any, **_kwargs: Any) -> None:
        failed.append(True)
        await reject()

    async def find(driver: FakeDriver, uuid: str) -> Any:
        if failed:
            raise DriverUnavailable("libvirtd ended in the middle of the start")
        return await find_guest(driver, uuid)

    monkeypatch.setattr(FakeDriver, "spawn", fail)
    monkeypatch.setattr(FakeDriver, "find_guest", find)
    order(host, images)
    await host.until(lambda: bool(failed), "the start was tried")
    await look(host)
    assert status_of(host).fault is None


async def test_a_build_is_not_tried_again_while_it_counts_as_given_away(
    host: MortalAgent, images: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeDriver, "spawn", reject)
    order(host, images)
    await host.until_state(UUID, "ERROR")
    await host.until_idle()
    said: list[str | None] = []

    async def start(driver: FakeDriver, *args: Any, **kwargs: Any) -> None:
        said.append(status_of(host).power_state)
        await spawn(driver, *args, **kwargs)

    monkeypatch.setattr(FakeDriver, "spawn", start)
    end_pause(host)
    await look(host)
    await host.until_state(UUID, "ACTIVE")
    assert said == [None]


async def test_an_order_to_end_that_was_not_heard_yet_keeps_a_build_from_going_on(
    host: MortalAgent, images: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeDriver, "spawn", reject)
    order(host, images)
    await host.until_state(UUID, "ERROR")
    await host.until_idle()
    monkeypatch.undo()

    host.kube.handlers.remove(host.kube._tell)
    await host.destroy(UUID)
    end_pause(host)
    await look(host)
    assert host.hypervisor.starts == []
    assert status_of(host).power_state == "Shutdown", "it may go elsewhere still"

    host.kube.handlers.append(host.kube._tell)
    await host.change(UUID, serverGeneration=2)
    await host.until_state(UUID, None)
    assert host.hypervisor.starts == []


async def test_a_start_that_fails_is_not_tried_again_by_its_own_events(
    host: MortalAgent, images: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[bool] = []

    async def fail(*_args: Any, **_kwargs: Any) -> None:
        tries.append(True)
        await reject()

    monkeypatch.setattr(FakeDriver, "spawn", fail)
    order(host, images)
    await host.until_state(UUID, "ERROR")
    assert host.agent._parts is not None
    for _ in range(5):
        host.agent._parts._on_event(UUID)
        await host.agent._parts.queue.wait_idle()
    assert len(tries) == 1
    assert status_of(host).power_state == "Shutdown"

    await host.change(UUID, serverGeneration=2)
    await host.until(lambda: len(tries) == 2, "a new order is tried at once")
