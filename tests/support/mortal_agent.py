"""A real agent that is killed at one of its file writes, and its successors.

The file system, qemu-img and the image server are real; the API server and the
hypervisor are in memory, and outlive every agent.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Any, cast

from kilonova_agent.agent import Agent
from kilonova_agent.settings import AgentSettings
from kilonova_api.compute_host import ComputeHost
from kilonova_api.instance import Instance
from kilonova_api.kube.clock import Clock, SystemClock
from kilonova_api.kube.resources import Key
from kilonova_api.names import host_namespace
from support.fake_driver import FakeDriver, FakeHypervisor
from support.file_systems import CutFileSystem, FileCut, Killed
from support.incarnation import Script, Wire, Wired
from support.watched_cluster import WatchedCluster

NODE = "hv1"
PATIENCE_SECONDS = 20.0
_LOOK_SECONDS = 0.002
_SHORT_SECONDS = 2.0


class QuickClock(SystemClock):
    """The machine's clock, on which short sleeps are much shorter."""

    async def sleep(self, seconds: float) -> None:
        quick = seconds / 50 if seconds <= _SHORT_SECONDS else seconds
        await asyncio.sleep(max(0.0, quick))


@dataclass
class MortalAgent:
    """One host. ``cut`` ends its first agent; the next ones live."""

    state_dir: Path
    cut: FileCut = field(default_factory=lambda: FileCut(lambda _: False))
    node_uid: str = "n1"
    hypervisor: FakeHypervisor = field(default_factory=FakeHypervisor)
    kills: int = 0
    kube: WatchedCluster = field(init=False)
    agent: Agent = field(init=False)
    clock: Clock = field(default_factory=QuickClock)
    _task: asyncio.Task[None] = field(init=False)
    _wire: Wire = field(init=False)

    def __post_init__(self) -> None:
        self.kube = WatchedCluster(self.clock)
        host = {"metadata": {"name": NODE}, "spec": {}}
        self.kube.put(ComputeHost.resource(), host)

    def start(self) -> None:
        """Start an agent; it knows nothing but what is on the host."""
        loop = asyncio.get_running_loop()
        wire = self._wire = Wire("agent", Script())
        self.cut.on_kill = lambda: loop.call_soon_threadsafe(wire.cut.set)
        settings = AgentSettings.model_validate(
            {
                "node_name": NODE,
                "node_uid": self.node_uid,
                "state_dir": self.state_dir,
                "images_allowed_ranges": (ip_network("127.0.0.0/8"),),
                "host_poll_seconds": 0.5,
                "http_port": 0,
                "min_free_disk_bytes": 0,
                "reclaim_after_seconds": 0,
                "image_unused_seconds": 0,
            }
        )
        self.agent = Agent(
            settings,
            cast("Any", Wired(self.kube, wire)),
            cast("Any", Wired(FakeDriver(self.hypervisor), wire, name="driver")),
            fs=cast("Any", CutFileSystem(self.cut)),
            clock=self.clock,
            random=Random(1),
        )
        self._task = asyncio.create_task(self.agent.run())

    async def stop(self) -> None:
        """End the agent where it stands."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def until(self, done: Callable[[], bool], what: str) -> None:
        """Wait until ``done``, as the conductor and as kubelet meanwhile."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not done():
                    await self._keep()
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"not so: {what}; {self.tell()}") from None

    async def until_state(self, uuid: str, state: str | None) -> None:
        """Wait for a state of a guest; None: for its Instance's end."""
        await self.until(lambda: self.state(uuid) == state, f"{uuid} is {state}")

    async def sweep(self) -> None:
        """Let housekeeping do its work, twice: what is seen first is not old."""
        for _ in range(2):
            await self.until(self._is_sure, "the agent knows its Instances")
            assert self.agent._parts is not None
            try:
                await self.agent._parts.housekeeping.sweep()
            except Killed:
                await self._keep()

    async def until_idle(self) -> None:
        """Wait until the agent has looked at every Instance as it is now."""
        await self.until(self._has_heard_all, "the agent has heard of all")
        assert self.agent._parts is not None
        await self.agent._parts.queue.wait_idle()

    def order(self, body: dict[str, Any]) -> None:
        """Write an Instance."""
        self.kube.put(Instance.resource(), body)

    async def change(self, uuid: str, **spec: Any) -> None:
        """Change fields of an Instance's spec."""
        await self.kube.json_patch(
            Instance.resource(),
            host_namespace(NODE),
            uuid,
            [
                {"op": "add", "path": f"/spec/{name}", "value": value}
                for name, value in spec.items()
            ],
        )

    async def destroy(self, uuid: str) -> None:
        """Order a guest's end."""
        order = {"placementGeneration": 1, "reason": "ServerDeleted"}
        await self.change(uuid, destroy=order)

    def reason(self, uuid: str) -> str:
        """The reason of the Instance's Ready condition."""
        found = self.kube.objects["Instance", Key(host_namespace(NODE), uuid)]
        ready = Instance.model_validate(found).status.condition("Ready")
        return ready.reason if ready else ""

    def state(self, uuid: str) -> str | None:
        """The guest's state as its Instance tells it; None: no Instance."""
        found = self.kube.objects.get(("Instance", Key(host_namespace(NODE), uuid)))
        return str(found["status"].get("state", "")) if found else None

    def list_files(self) -> list[str]:
        """Every file under the state directory, random parts left out."""
        return sorted(
            str(path.relative_to(self.state_dir))
            for path in self.state_dir.rglob("*")
            if path.is_file()
        )

    def tell(self) -> dict[str, Any]:
        """What a failed test prints."""
        return {
            "killed at": self.cut.killed_at,
            "files": self.list_files(),
            "guests": self.hypervisor.guests,
            "objects": [obj.get("status") for obj in self.kube.objects.values()],
        }

    def _has_heard_all(self) -> bool:
        parts = self.agent._parts
        heard = parts.feed.list_all() if parts and parts.watch.reported else None
        if heard is None:
            return False
        versions = {i.metadata.name: i.metadata.resource_version for i in heard}
        return versions == {
            obj["metadata"]["name"]: obj["metadata"]["resourceVersion"]
            for obj in self.kube.all("Instance")
        }

    def _is_sure(self) -> bool:
        parts = self.agent._parts
        return parts is not None and parts._list_instances_if_sure() is not None

    async def _keep(self) -> None:
        self._accept()
        if self._wire.cut.is_set() or self._task.done():
            assert self.cut.killed_at, self._task.exception()
            self.kills += 1
            await self.stop()
            self.cut = FileCut(lambda _: False)
            self.start()

    def _accept(self) -> None:
        """Accept the first identity that is reported, and never another."""
        found = self.kube.objects["ComputeHost", Key.of(None, NODE)]
        host = ComputeHost.model_validate(found)
        if host.status.agent is None or host.status.host_id:
            return
        agent = host.status.agent
        identity = {"hostId": agent.host_id, "nodeUid": agent.node_uid}
        body = {"metadata": {"name": NODE}, "status": identity}
        self.kube.put(ComputeHost.resource(), body)


@asynccontextmanager
async def mortal_agent(
    state_dir: Path, cut: FileCut, clock: Clock | None = None
) -> AsyncIterator[MortalAgent]:
    """Give a host whose first agent runs."""
    loop = asyncio.get_running_loop()
    # Nobody hears how the tasks of a killed process end.
    loop.set_exception_handler(_tell_unless_killed)
    host = MortalAgent(state_dir, cut, clock=clock or QuickClock())
    host.start()
    try:
        yield host
    finally:
        await host.stop()


def _tell_unless_killed(
    loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)
