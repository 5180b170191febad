"""An agent that hears nothing any more builds no guest that others may have."""

from typing import Any

import pytest

from kilonova_api.kube.resources import SECRET
from support.image_server import ImageServer
from support.instances import make_instance, make_user_data
from support.memory_api import build_unreachable
from support.mortal_agent import NODE, MortalAgent

UUID = "11111111-2222-4333-8444-555555555555"


async def wait_for_secret(host: MortalAgent, images: ImageServer) -> dict[str, Any]:
    """Order a guest that lacks only its user data; give the Secret with it."""
    image = images.image_of("blank.qcow2", format_="qcow2")
    order = make_instance(host=NODE, name=UUID, image=image)
    secret = make_user_data(order, b"#!/bin/sh\n")
    host.order(order)
    await host.until_state(UUID, "BUILD")
    return secret


async def stop_hearing(host: MortalAgent) -> None:
    """Let no event through, as long ago as it takes to matter."""
    host.kube.handlers.remove(host.kube._tell)
    await look_twice(host)  # what was begun before may end, and be heard of
    parts = host.agent._parts
    assert parts is not None
    parts.feed._informer.last_heard_at -= 60.0


async def look_twice(host: MortalAgent) -> None:
    parts = host.agent._parts
    assert parts is not None
    for _ in range(2):
        parts.queue.add(UUID)
        await parts.queue.wait_idle()


async def test_a_destroy_that_was_not_heard_keeps_its_guest_from_being_built(
    host: MortalAgent, images: ImageServer
) -> None:
    secret = await wait_for_secret(host, images)
    await stop_hearing(host)
    await host.destroy(UUID)
    host.kube.put(SECRET, secret)

    await look_twice(host)
    assert host.hypervisor.starts == []

    host.kube.handlers.append(host.kube._tell)
    await host.change(UUID, serverGeneration=2)
    await host.until_state(UUID, None)
    assert host.hypervisor.starts == []


async def test_a_host_without_api_server_builds_nothing_until_it_is_back(
    host: MortalAgent, images: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await wait_for_secret(host, images)
    await stop_hearing(host)

    async def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise build_unreachable()

    monkeypatch.setattr(host.kube, "list", fail)
    host.kube.put(SECRET, secret)
    await look_twice(host)
    assert host.hypervisor.starts == []

    monkeypatch.undo()
    await host.until_state(UUID, "ACTIVE")
    assert host.hypervisor.starts == [UUID]
