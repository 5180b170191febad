"""Operator, agent, API server, databases and libvirt, all real, in one process.

The operator and the agent can be killed at any of their calls; a keeper starts
each of them again, as kubelet does.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Any, cast

from kilonova_agent.agent import Agent
from kilonova_agent.drivers.libvirt.driver import LibvirtDriver
from kilonova_agent.settings import AgentSettings
from kilonova_api.flavor import Flavor
from kilonova_api.image import ClusterImage
from kilonova_api.kube.clock import SystemClock
from kilonova_lab.controlplane import ControlPlane
from kilonova_operator.context import Stores
from support.file_systems import CutFileSystem, FileCut
from support.image_server import image_server
from support.incarnation import Script, Wire, Wired
from support.libvirt_host import LibvirtHost
from support.made_up_hosts import find_host, make_node
from support.server_stage import ServerStage, server_stage
from support.servers import flavor_manifest, image_manifest
from support.waiting import until

FLAVOR, IMAGE, NODE = "m1.crash", "blank", "hv1"
_LOOK_SECONDS = 0.02
_FILES_OF_A_GUEST = re.compile(r"(^| )\*/|instances/|orders\.json")


@dataclass
class CrashStage:
    """One host, one operator, and the script by which they end."""

    stage: ServerStage
    host: LibvirtHost
    node_uid: str
    script: Script = field(default_factory=Script)
    kills: dict[str, int] = field(default_factory=lambda: {"operator": 0, "agent": 0})
    _wires: dict[str, Wire] = field(default_factory=dict)
    _cut: FileCut = field(default_factory=lambda: FileCut(lambda _: False))
    _agent: asyncio.Task[None] | None = None
    _keepers: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Start both processes and keep them."""
        await self._start_operator()
        self._start_agent()
        self._keepers = [
            asyncio.create_task(self._keep_operator()),
            asyncio.create_task(self._keep_agent()),
        ]
        await until(self._is_enabled, "the host takes Servers", timeout_seconds=90)

    async def close(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await self._kill_agent()

    def files_of(self, uuid: str) -> Path:
        """The folder of a guest's disks."""
        return self.host.state_dir / "instances" / uuid

    async def _is_enabled(self) -> bool:
        found = await find_host(self.stage.kube, NODE)
        return found is not None and found.status.scheduling == "Enabled"

    async def _start_operator(self) -> None:
        wire = self._wires["operator"] = Wire("operator", self.script)
        self.stage.wrap_kube = lambda kube: cast("Any", Wired(kube, wire))
        self.stage.wrap_stores = lambda stores: Stores(
            api=cast("Any", Wired(stores.api, wire, name="api")),
            cells={
                name: cast("Any", Wired(store, wire, name=name))
                for name, store in stores.cells.items()
            },
            revisions=stores.revisions,
        )
        await self.stage.start_operator()

    def _start_agent(self) -> None:
        wire = self._wires["agent"] = Wire("agent", self.script)
        settings = AgentSettings.model_validate(
            {
                "node_name": NODE,
                "node_uid": self.node_uid,
                "state_dir": self.host.state_dir,
                "images_allowed_ranges": (ip_network("127.0.0.0/8"),),
                "host_poll_seconds": 1.0,
                "http_port": 0,
                "min_free_disk_bytes": 0,
            }
        )
        driver = LibvirtDriver(
            self.host.uri,
            state_dir=self.host.state_dir,
            virt_type="qemu",
            clock=SystemClock(),
            random=Random(1),
        )
        agent = Agent(
            settings,
            cast("Any", Wired(self.stage.kube, wire)),
            cast("Any", Wired(driver, wire, name="driver")),
            fs=cast("Any", CutFileSystem(self._make_cut(wire))),
            clock=SystemClock(),
            random=Random(1),
        )
        self._agent = asyncio.create_task(agent.run())

    def _make_cut(self, wire: Wire) -> FileCut:
        """Have the agent end at the writes of files that the script names."""
        loop = asyncio.get_running_loop()

        def is_due(label: str) -> bool:
            # An image is downloaded in the first life only, and swept in none.
            if not _FILES_OF_A_GUEST.search(label):
                return False
            due = wire.script.breaks(f"files {label}")
            if due:
                wire.script.broken.append(f"files {label}")
            return due

        self._cut = FileCut(
            is_due,
            on_kill=lambda: loop.call_soon_threadsafe(wire.cut.set),
            half=wire.script.when == "before",
        )
        return self._cut

    def find_half_made(self) -> list[str]:
        """Temporary files; none stays while the agent is at rest."""
        return [
            path.name
            for pattern in ("*.tmp", "*.building")
            for path in self.host.state_dir.rglob(pattern)
        ]

    async def _kill_agent(self) -> None:
        if self._agent is not None:
            self._agent.cancel()
            await asyncio.gather(self._agent, return_exceptions=True)
            self._agent = None

    async def _keep_operator(self) -> None:
        while True:
            operator = self.stage.operator
            ended = operator is None or operator.task.done()
            if self._wires["operator"].cut.is_set() or ended:
                self.kills["operator"] += 1
                await self.stage.kill_operator()
                with suppress(AssertionError):
                    await self._start_operator()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _keep_agent(self) -> None:
        while True:
            ended = self._agent is None or self._agent.done()
            if self._wires["agent"].cut.is_set() or ended:
                self.kills["agent"] += 1
                await self._kill_agent()
                self._start_agent()
            await asyncio.sleep(_LOOK_SECONDS)

    async def kill(self, actor: str) -> None:
        """Kill a program where it stands; return when the next one runs."""
        before = self._wires[actor]
        before.cut.set()
        await until(
            lambda: self._wires[actor] is not before and self._operator_leads(),
            f"a new {actor} runs",
            timeout_seconds=90,
        )

    def _operator_leads(self) -> bool:
        operator = self.stage.operator
        return operator is not None and operator.process.health.stage.startswith(
            "holding"
        )

    def follow(self, script: Script) -> None:
        """Follow a script from now on."""
        self.script = script
        for wire in self._wires.values():
            wire.script = script
        self._cut.half = script.when == "before"


@asynccontextmanager
async def crash_stage(folder: Path) -> AsyncIterator[CrashStage]:
    """Give a stage whose processes run, with a flavor of 16 MiB and its image."""
    with ControlPlane() as control_plane, LibvirtHost(NODE) as host:
        databases, images_folder = folder / "databases", folder / "images"
        databases.mkdir()
        images_folder.mkdir()
        async with (
            server_stage(control_plane, databases, host_down_seconds=120) as stage,
            image_server(images_folder) as images,
        ):
            await stage.apply(
                Flavor.resource(), flavor_manifest(FLAVOR, ramMiB=16, rootGiB=0)
            )
            image = image_manifest(IMAGE) | {
                "kind": "ClusterImage",
                "metadata": {"name": IMAGE},
                "spec": images.add_disk(),
            }
            await stage.apply(ClusterImage.resource(), image)
            node = await make_node(stage.kube, NODE)
            stage.real_hosts = (NODE,)
            made = CrashStage(stage, host, node["metadata"]["uid"])
            try:
                await made.start()
                yield made
            finally:
                await made.close()


def crash_spec() -> dict[str, Any]:
    """The Server that lives these lives."""
    return {
        "flavorRef": {"name": FLAVOR},
        "imageRef": {"kind": "ClusterImage", "name": IMAGE},
        "userData": "#cloud-config\n",
    }
