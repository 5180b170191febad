"""Guests that libvirt refuses, which tells of each attempt in other words."""

import asyncio
import time
from typing import Any

import pytest

from kilonova_agent.domain.faults import GuestRejected
from kilonova_agent.services import reconciler
from support.agent_lab import AgentLab

PAUSE_SECONDS = 5.0
ATTEMPTS = 3


class Watched:
    """A real driver; how it was asked for guests is written down."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self.began: list[float] = []
        self.ended: list[float] = []
        self.refusals: list[str] = []
        self.events = 0
        self.enough = asyncio.Event()
        driver.on_event(self._count)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    async def spawn(self, *args: Any, **kwargs: Any) -> None:
        self.began.append(time.monotonic())
        if len(self.began) == ATTEMPTS:
            self.enough.set()
        try:
            await self._driver.spawn(*args, **kwargs)
        except GuestRejected as refusal:
            self.refusals.append(refusal.message)
            raise
        finally:
            self.ended.append(time.monotonic())

    def _count(self, uuid: str | None) -> None:
        self.events += uuid is not None


async def test_a_refused_guest_is_tried_once_a_pause_though_libvirt_tells_of_it(
    idle_lab: AgentLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "FAULT_RETRY_SECONDS", PAUSE_SECONDS)
    watched: list[Watched] = []

    def watch(driver: Any) -> Any:
        watched.append(Watched(driver))
        return watched[-1]

    idle_lab.wrap_driver = watch
    idle_lab.start_agent()
    await idle_lab.accept_host()

    instance = await idle_lab.order(
        image=idle_lab.images.add_disk(),
        flavor={"vcpus": 1, "ramMiB": 16 * 1024 * 1024},
    )
    first = await idle_lab.until_reason(instance, "GuestRejected")
    (driver,) = watched
    async with asyncio.timeout(120):
        await driver.enough.wait()
    last = await idle_lab.until_reason(instance, "GuestRejected")

    assert driver.events > 0, "libvirt told of what it refused"
    assert len(set(driver.refusals)) > 1, driver.refusals
    pauses = [b - e for b, e in zip(driver.began[1:], driver.ended, strict=False)]
    assert min(pauses) >= PAUSE_SECONDS - 0.1, pauses
    assert first.status.fault is not None
    assert first.status.fault.message == driver.refusals[0]
    assert last.status.fault is not None
    assert last.status.fault.message == driver.refusals[0]
