"""A host whose agent is real to the API server and has no hypervisor behind it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import SystemClock
from kilonova_api.kube.errors import KubeError
from kilonova_api.kube.informer import Informer
from kilonova_api.kube.resources import Key
from kilonova_api.names import host_namespace
from kilonova_api.server_status import Fault
from support.fake_agent import FakeAgent, FakeHost
from support.made_up_hosts import beat, find_host, make_node, report
from support.waiting import until

_BEAT_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.2


@dataclass
class StageHost:
    """A Node, its heartbeat and its agent."""

    kube: KubeApi
    name: str
    host: FakeHost = field(init=False)
    find_fault: Callable[[Instance], Fault | None] = lambda instance: None
    memory_mib: int = 16384
    cells: list[dict[str, Any]] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.host = FakeHost(self.name)

    async def join(self) -> None:
        """Become a host that takes Servers; an operator must run."""
        node = await make_node(self.kube, self.name)
        await until(self._has_namespace, f"host {self.name} has its namespace")
        uid = node["metadata"]["uid"]
        await report(
            self.kube,
            self.name,
            uid,
            memoryMiB=self.memory_mib,
            numaCells=self.cells,
        )
        self.wake()
        await until(self._is_enabled, f"host {self.name} takes Servers")

    def wake(self) -> None:
        """Start the agent's process."""
        self._tasks = [
            asyncio.create_task(self._beat()),
            asyncio.create_task(self._work()),
        ]

    async def silence(self) -> None:
        """End the agent's process; the guests run on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _has_namespace(self) -> bool:
        found = await find_host(self.kube, self.name)
        return found is not None and found.status.namespace is not None

    async def _is_enabled(self) -> bool:
        found = await find_host(self.kube, self.name)
        return found is not None and found.status.scheduling == "Enabled"

    async def _beat(self) -> None:
        while True:
            with suppress(KubeError):
                await beat(self.kube, self.name)
            await asyncio.sleep(_BEAT_SECONDS)

    async def _work(self) -> None:
        changed: asyncio.Queue[Key] = asyncio.Queue()
        informer: Informer[str] = Informer(
            self.kube,
            Instance.resource(),
            lambda obj: str(obj["metadata"]["resourceVersion"]),
            namespace=host_namespace(self.name),
            clock=SystemClock(),
            random=Random(1),
        )
        informer.on_change(lambda key, old, new: changed.put_nowait(key))
        watching = asyncio.create_task(informer.run())
        built_at = f"{SystemClock().utcnow():%FT%TZ}"
        agent = FakeAgent(self.host, self.kube, self.find_fault, built_at)
        try:
            while True:
                key = await changed.get()
                await self._reconcile(agent, key, changed)
        finally:
            watching.cancel()

    async def _reconcile(
        self, agent: FakeAgent, key: Key, changed: asyncio.Queue[Key]
    ) -> None:
        try:
            done = await agent.reconcile(key.name)
        except KubeError:
            done = False
        if not done:
            loop = asyncio.get_running_loop()
            loop.call_later(_LOOK_AGAIN_SECONDS, changed.put_nowait, key)
