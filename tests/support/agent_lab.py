"""Agents in this process, on a real hypervisor host and a real API server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from random import Random
from secrets import token_hex
from typing import Any

from kilonova_agent.agent import Agent
from kilonova_agent.drivers.base import ComputeDriver
from kilonova_agent.drivers.libvirt.driver import LibvirtDriver
from kilonova_agent.settings import AgentSettings
from kilonova_agent.storage.file_system import FileSystem, HostFileSystem
from kilonova_api.compute_host import ComputeHost
from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.clock import SystemClock
from kilonova_api.kube.config import load_kubeconfig
from kilonova_api.kube.resources import NAMESPACE, SECRET, KubeObject
from kilonova_api.names import host_namespace
from kilonova_lab.controlplane import ControlPlane
from support.image_server import ImageServer, image_server
from support.instances import make_instance
from support.libvirt_host import LibvirtHost

LINK = "kilonova-cell-cell1"


@dataclass
class AgentLab:
    """One host with its mailbox, and what a conductor would do to it."""

    kube: KubeClient
    host: LibvirtHost
    images: ImageServer
    node: str
    control_plane: ControlPlane
    settings: dict[str, Any] = field(default_factory=dict)
    wrap_kube: Callable[[KubeApi], KubeApi] = lambda kube: kube
    wrap_driver: Callable[[ComputeDriver], ComputeDriver] = lambda driver: driver
    fs: FileSystem = field(default_factory=HostFileSystem)
    version: str = "0.1.0"
    skew_seconds: float | None = None
    agent_task: asyncio.Task[None] | None = None
    agent: Agent | None = None

    @property
    def namespace(self) -> str:
        """The host's namespace."""
        return host_namespace(self.node)

    @property
    def audit_log(self) -> Path:
        """Every write to the API server, one JSON object a line."""
        return self.control_plane.audit_log

    def start_agent(self) -> None:
        """Start an agent; it knows nothing but what is on the host."""
        settings = AgentSettings.model_validate(
            {
                "node_name": self.node,
                "node_uid": f"uid-{self.node}",
                "state_dir": self.host.state_dir,
                "images_allowed_ranges": (ip_network("127.0.0.0/8"),),
                "host_poll_seconds": 1.0,
                "http_port": 0,
                **self.settings,
            }
        )
        driver = LibvirtDriver(
            self.host.uri,
            state_dir=self.host.state_dir,
            virt_type="qemu",
            clock=SystemClock(),
            random=Random(1),
        )
        self.agent = Agent(
            settings,
            self.wrap_kube(self.kube),
            self.wrap_driver(driver),
            fs=self.fs,
            clock=SystemClock(),
            random=Random(1),
            version=self.version,
            clock_skew_seconds=lambda: self.skew_seconds,
        )
        self.agent_task = asyncio.create_task(self.agent.run())

    async def kill_agent(self) -> None:
        """End the agent where it stands."""
        if self.agent_task is not None:
            self.agent_task.cancel()
            await asyncio.gather(self.agent_task, return_exceptions=True)
            self.agent_task = None

    async def restart_agent(self) -> None:
        """Kill the agent and start another."""
        await self.kill_agent()
        self.start_agent()

    async def make_host(self) -> None:
        """Make namespace and ComputeHost, as the conductor does from a Node."""
        await self.kube.apply_new(
            NAMESPACE,
            {"metadata": {"name": self.namespace}},
            field_manager=LINK,
        )
        await self.kube.apply_new(
            ComputeHost.resource(),
            {"metadata": {"name": self.node}, "spec": {}},
            field_manager=LINK,
        )

    async def get_host(self) -> ComputeHost:
        """Read the ComputeHost."""
        found = await self.kube.get(ComputeHost.resource(), None, self.node)
        return ComputeHost.model_validate(found)

    async def accept_host(self) -> str:
        """Accept the identity that the agent reports; give the host id."""
        host = await self.until_host(lambda host: host.status.agent is not None)
        assert host.status.agent is not None
        await self.kube.apply_existing(
            ComputeHost.resource(),
            {
                "metadata": {"name": self.node},
                "status": {
                    "hostId": host.status.agent.host_id,
                    "nodeUid": host.status.agent.node_uid,
                },
            },
            uid=host.metadata.uid,
            field_manager=LINK,
            subresource="status",
        )
        return host.status.agent.host_id

    async def order(self, body: KubeObject | None = None, **spec: Any) -> Instance:
        """Write a new Instance."""
        body = body or make_instance(host=self.node, **spec)
        made = await self.kube.apply_new(Instance.resource(), body, field_manager=LINK)
        return Instance.model_validate(made)

    async def change(self, instance: Instance, **spec: Any) -> Instance:
        """Change fields of an Instance's spec."""
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": instance.metadata.uid}
        ]
        operations += [
            {"op": "add", "path": f"/spec/{name}", "value": value}
            for name, value in spec.items()
        ]
        made = await self.kube.json_patch(
            Instance.resource(), self.namespace, instance.metadata.name, operations
        )
        return Instance.model_validate(made)

    async def destroy(self, instance: Instance, generation: int = 1) -> None:
        """Order a guest's end."""
        order = {"placementGeneration": generation, "reason": "ServerDeleted"}
        await self.change(instance, destroy=order)

    async def delete_object(self, instance: Instance) -> None:
        """Delete an Instance by a careless hand: no order at all."""
        await self.kube.delete(
            Instance.resource(),
            self.namespace,
            instance.metadata.name,
            uid=instance.metadata.uid,
        )

    async def write_secret(self, body: KubeObject) -> None:
        """Write a Secret."""
        await self.kube.apply_new(SECRET, body, field_manager=LINK)

    async def read(self, instance: Instance) -> Instance | None:
        """Read an Instance."""
        found = await self.kube.find(
            Instance.resource(), self.namespace, instance.metadata.name
        )
        return Instance.model_validate(found) if found else None

    async def until_status(
        self,
        instance: Instance,
        check: Callable[[Instance], bool],
        *,
        timeout_seconds: float = 30.0,
    ) -> Instance:
        """Wait for an Instance's status; fail with the last one seen."""
        last: Instance | None = None
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    self._check_agent()
                    last = await self.read(instance)
                    if last is not None and check(last):
                        return last
                    await asyncio.sleep(0.05)
        except TimeoutError:
            status = last.status.wire() if last else "the Instance is gone"
            raise AssertionError(f"not so: {status}") from None

    async def until_state(self, instance: Instance, state: str) -> Instance:
        """Wait for a state of a guest."""
        return await self.until_status(instance, lambda i: i.status.state == state)

    async def until_reason(
        self, instance: Instance, reason: str, *, timeout_seconds: float = 30.0
    ) -> Instance:
        """Wait for the reason of the Ready condition."""

        def has_reason(found: Instance) -> bool:
            ready = found.status.condition("Ready")
            return ready is not None and ready.reason == reason

        return await self.until_status(
            instance, has_reason, timeout_seconds=timeout_seconds
        )

    async def until_gone(self, instance: Instance) -> None:
        """Wait until an Instance is deleted."""
        last: Instance | None = instance
        try:
            async with asyncio.timeout(30):
                while last is not None:
                    self._check_agent()
                    await asyncio.sleep(0.05)
                    last = await self.read(instance)
        except TimeoutError:
            assert last is not None
            raise AssertionError(f"still there: {last.status.wire()}") from None

    async def until_host(
        self, check: Callable[[ComputeHost], bool], *, timeout_seconds: float = 30.0
    ) -> ComputeHost:
        """Wait for the ComputeHost; fail with the last one seen."""
        last: ComputeHost | None = None
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    self._check_agent()
                    last = await self.get_host()
                    if check(last):
                        return last
                    await asyncio.sleep(0.05)
        except TimeoutError:
            status = last.status.wire() if last else None
            raise AssertionError(f"not so: {status}") from None

    def files(self, instance: Instance) -> Path:
        """Return a guest's folder."""
        return self.host.state_dir / "instances" / instance.metadata.name

    def _check_agent(self) -> None:
        """Fail at once when the agent ended by an error."""
        task = self.agent_task
        if task is not None and task.done() and not task.cancelled():
            task.result()
            raise AssertionError("the agent ended")


@contextlib.asynccontextmanager
async def agent_lab(
    control_plane: ControlPlane, host: LibvirtHost, folder: Path
) -> AsyncIterator[AgentLab]:
    """Give a host whose agent is not started yet."""
    connection = await load_kubeconfig(control_plane.kubeconfig, clock=SystemClock())
    async with KubeClient(connection) as kube, image_server(folder) as images:
        lab = AgentLab(
            kube,
            host,
            images,
            node=f"hv-{token_hex(4)}",
            control_plane=control_plane,
        )
        try:
            yield lab
        finally:
            await lab.kill_agent()
            host_object = await kube.find(ComputeHost.resource(), None, lab.node)
            if host_object is not None:
                uid = host_object["metadata"]["uid"]
                await kube.delete(ComputeHost.resource(), None, lab.node, uid=uid)
