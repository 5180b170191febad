"""Heartbeats: silence counts only while we could have heard something."""

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any, cast

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.api import ObjectList
from kilonova_api.kube.resources import Key, Resource
from kilonova_api.names import host_namespace
from kilonova_operator.domain.hosts.heartbeats import HeartbeatJudge, HeartbeatSettings
from kilonova_operator.services.hosts.heartbeats import (
    TICK_SECONDS,
    HeartbeatMonitor,
)
from kilonova_operator.services.informers import HEARTBEAT_LEASE
from support.clock import FakeClock
from support.memory_api import build_unreachable

DOWN_SECONDS = 60.0


class SleepyClock(FakeClock):
    """A machine that may be suspended: nobody is woken, and time goes on."""

    asleep_seconds = 0.0

    def boottime(self) -> float:
        return super().boottime() + self.asleep_seconds


class Leases:
    """The heartbeat Leases: what the watch brings, and what a list shows."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.versions: dict[str, int] = {}
        self.last_heard_at = clock.boottime()
        self.away = False
        self.lists = 0

    def find(self, key: Key) -> str | None:
        version = self.versions.get(key.namespace)
        return None if version is None else str(version)

    async def pages(
        self, resource: Resource, **scope: Any
    ) -> AsyncGenerator[ObjectList, None]:
        assert scope == {"field_selector": f"metadata.name={HEARTBEAT_LEASE}"}
        self.lists += 1
        if self.away:
            raise build_unreachable()
        yield ObjectList(
            [
                {
                    "metadata": {
                        "name": HEARTBEAT_LEASE,
                        "namespace": namespace,
                        "resourceVersion": str(version),
                    }
                }
                for namespace, version in self.versions.items()
            ],
            "1",
        )


class Stage:
    """Hosts of one cell, each beating every 10 s unless it is silent."""

    def __init__(self, *hosts: str) -> None:
        self.clock = SleepyClock()
        self.leases = Leases(self.clock)
        self.changed: list[str] = []
        self.brakes: list[str] = []
        self.silent: set[str] = set()
        self.watch_is_dead = False
        informers = SimpleNamespace(
            heartbeats=self.leases,
            compute_hosts=SimpleNamespace(
                items=lambda: {Key("", host): _made(host) for host in hosts}
            ),
        )
        self.monitor = HeartbeatMonitor(
            kube=cast("Any", self.leases),
            informers=cast("Any", informers),
            judge=HeartbeatJudge(HeartbeatSettings(DOWN_SECONDS, 40)),
            clock=self.clock,
            on_change=self.changed.append,
            on_brake=self.brakes.append,
        )
        self.hosts = hosts
        for host in hosts:
            self.monitor.add_host(host, "Unknown")

    async def run(self, seconds: float) -> None:
        running = asyncio.create_task(self.monitor.run())
        ends_at = self.clock.boottime() + seconds
        while self.clock.boottime() < ends_at:
            self._beat()
            await self.clock.advance(10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    def _beat(self) -> None:
        for host in self.hosts:
            if host in self.silent:
                continue
            namespace = host_namespace(host)
            version = self.leases.versions.get(namespace, 0) + 1
            self.leases.versions[namespace] = version
            if not self.watch_is_dead:
                self.leases.last_heard_at = self.clock.boottime()
                self.monitor.hear(namespace, str(version))

    def states(self) -> dict[str, str]:
        return {host: self.monitor.judge.state(host) for host in self.hosts}


def _made(host: str) -> ComputeHost:
    return ComputeHost.model_validate(
        {"metadata": {"name": host}, "spec": {}, "status": {"cell": "cell1"}}
    )


async def test_a_host_that_beats_comes_up_and_stays_up() -> None:
    stage = Stage("hv1", "hv2")
    await stage.run(600)
    assert stage.states() == {"hv1": "Up", "hv2": "Up"}
    assert sorted(stage.changed) == ["hv1", "hv2"]


async def test_a_silent_host_is_called_down_in_time_and_comes_back() -> None:
    stage = Stage("hv1", "hv2")
    await stage.run(60)
    stage.silent = {"hv1"}
    await stage.run(DOWN_SECONDS - 20)
    assert stage.states()["hv1"] == "Up"
    await stage.run(20 + TICK_SECONDS)
    assert stage.states() == {"hv1": "Down", "hv2": "Up"}
    assert stage.changed[-1] == "hv1"
    stage.silent = set()
    await stage.run(20)
    assert stage.states()["hv1"] == "Up"


async def test_nobody_is_called_down_while_our_own_watch_is_dead() -> None:
    stage = Stage("hv1", "hv2")
    await stage.run(60)
    stage.watch_is_dead = True
    await stage.run(600)
    assert stage.states() == {"hv1": "Up", "hv2": "Up"}
    assert stage.leases.lists > 0, "a list told what the watch did not"


async def test_a_dead_watch_hides_nobody_who_is_silent() -> None:
    stage = Stage("hv1", "hv2")
    await stage.run(60)
    stage.watch_is_dead, stage.silent = True, {"hv1"}
    await stage.run(DOWN_SECONDS + 40)
    assert stage.states() == {"hv1": "Down", "hv2": "Up"}


async def test_no_time_passes_for_anybody_while_the_api_server_is_away() -> None:
    stage = Stage("hv1", "hv2")
    await stage.run(60)
    stage.leases.away, stage.silent = True, {"hv1", "hv2"}
    await stage.run(3600)
    assert stage.states() == {"hv1": "Up", "hv2": "Up"}
    stage.leases.away, stage.silent = False, set()
    await stage.run(30)
    assert stage.states() == {"hv1": "Up", "hv2": "Up"}


async def test_a_process_that_slept_blames_nobody_for_it() -> None:
    stage = Stage("hv1", "hv2")
    await stage.run(60)
    running = asyncio.create_task(stage.monitor.run())
    await stage.clock.advance(0)
    stage.clock.asleep_seconds = 3600
    stage.leases.last_heard_at = stage.clock.boottime()
    await stage.clock.advance(TICK_SECONDS)
    assert stage.states() == {"hv1": "Up", "hv2": "Up"}
    running.cancel()


async def test_too_many_silent_at_once_brake_the_cell_and_are_told_once() -> None:
    hosts = tuple(f"hv{number}" for number in range(5))
    stage = Stage(*hosts)
    await stage.run(60)
    stage.silent = set(hosts[:3])
    await stage.run(600)
    assert set(stage.states().values()) == {"Up"}
    assert stage.monitor.braked_cells == {"cell1"}
    assert stage.brakes == ["cell1"]
    stage.silent = set(hosts[:1])
    await stage.run(20)
    assert stage.monitor.braked_cells == frozenset()
    assert stage.brakes == ["cell1", "cell1"]
    await stage.run(DOWN_SECONDS)
    assert stage.states()["hv0"] == "Down"


async def test_a_restart_keeps_the_state_and_trusts_no_old_lease() -> None:
    stage = Stage("hv1")
    stage.monitor.drop_host("hv1")
    stage.leases.versions[host_namespace("hv1")] = 7
    stage.monitor.add_host("hv1", "Down")
    assert stage.states() == {"hv1": "Down"}
    stage.monitor.hear(host_namespace("hv1"), "7")
    assert stage.states() == {"hv1": "Down"}, "it may be years old"
    stage.monitor.hear(host_namespace("hv1"), "8")
    assert stage.states() == {"hv1": "Up"}


async def test_a_dropped_host_is_not_heard_any_more() -> None:
    stage = Stage("hv1")
    stage.monitor.drop_host("hv1")
    stage.monitor.hear(host_namespace("hv1"), "1")
    stage.monitor.hear(host_namespace("hv1"), "2")
    assert stage.changed == []
    assert stage.states() == {"hv1": "Unknown"}
