"""The whole operator on a real API server and real databases, with fake hosts."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kilonova_api.flavor import Flavor
from kilonova_api.image import Image
from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.clock import SystemClock
from kilonova_api.kube.config import load_kubeconfig
from kilonova_api.kube.connection import Connection
from kilonova_api.kube.resources import LEASE, NAMESPACE, SECRET, Key, Resource
from kilonova_api.names import SERVER_FINALIZER
from kilonova_api.network import Network
from kilonova_api.server import Server
from kilonova_lab.controlplane import ControlPlane
from kilonova_operator.context import Stores
from kilonova_operator.domain.epoch import Owner
from kilonova_operator.domain.placement import Tombstone
from kilonova_operator.process.databases import open_stores
from kilonova_operator.process.parts import Parts
from kilonova_operator.process.run import OperatorProcess
from kilonova_operator.process.startup import read_owner
from kilonova_operator.services.servers.cell_wiring import build_cell_controllers
from kilonova_operator.services.servers.super_wiring import build_super_controllers
from kilonova_operator.settings import API_DATABASE, Settings
from kilonova_operator.storage.sql.engine import EngineSettings, build_engine
from kilonova_operator.storage.sql.schema_sync import upgrade
from kilonova_operator.storage.sql.urls import parse_url
from support.fake_host import StageHost
from support.operator_run import RunningOperator, apply_crds
from support.servers import (
    NAMESPACE as SHOP,
)
from support.servers import (
    flavor_manifest,
    image_manifest,
    network_manifest,
    server_manifest,
)
from support.waiting import until

SYSTEM = "kilonova-system"
USER = "test-user"


@dataclass
class ServerStage:
    """One cluster, its databases, its hosts, and the operator of the moment."""

    control_plane: ControlPlane
    kube: KubeClient
    connection: Connection
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    wrap_kube: Callable[[KubeApi], KubeApi] = lambda kube: kube
    wrap_stores: Callable[[Stores], Stores] = lambda stores: stores
    operator: RunningOperator | None = None
    hosts: dict[str, StageHost] = field(default_factory=dict)
    real_hosts: tuple[str, ...] = ()
    _stores: Stores | None = None

    # Processes.

    async def start_operator(self, **settings: Any) -> RunningOperator:
        """Start an operator with nothing in memory, and wait until it leads."""
        values: dict[str, Any] = {
            "namespace": SYSTEM,
            "http_host": "127.0.0.1",
            "http_port": 0,
            "lease_seconds": 45,
            "drain_seconds": 8,
            "host_down_seconds": 8,
            "silent_hosts_percent": 100,
            "data_dir": self.folder,
        }
        made = Settings(**(values | self.settings | settings))
        parts = Parts(
            kube=self.wrap_kube(self.kube),
            connection=self.connection,
            open_stores=self._open_stores,
            super_controllers=(build_super_controllers,),
            cell_controllers=(build_cell_controllers,),
        )
        process, stop = OperatorProcess(made, parts), asyncio.Event()
        task = asyncio.create_task(process.run(stop))
        self.operator = running = RunningOperator(process, stop, task)
        await until(
            lambda: process.health.stage.startswith("holding") or task.done(),
            lambda: f"the operator leads (it is {process.health})",
            timeout_seconds=90,
        )
        return running

    async def kill_operator(self) -> None:
        """End the operator as SIGKILL would, and let its Leases run out at once."""
        if self.operator is None:
            return
        await self.operator.kill()
        self.operator = None
        for lease in (await self.kube.list(LEASE, SYSTEM)).items:
            meta = lease["metadata"]
            await self.kube.delete(LEASE, SYSTEM, meta["name"], uid=meta["uid"])

    async def keep_operator(self) -> None:
        """Start the operator again whenever it ends by itself, as kubelet does."""
        while True:
            if self.operator is None or self.operator.task.done():
                with suppress(AssertionError):
                    await self.start_operator()
            await asyncio.sleep(0.5)

    async def add_host(self, name: str, **fields: Any) -> StageHost:
        host = StageHost(self.kube, name, **fields)
        self.hosts[name] = host
        await host.join()
        return host

    async def _open_stores(self, settings: Settings, owner: Owner) -> Stores:
        return self.wrap_stores(await open_stores(settings, owner))

    def migrate(self) -> None:
        """Make the databases, as the init container does."""
        settings = Settings(data_dir=self.folder)
        for name in settings.databases:
            engine = build_engine(
                parse_url(name, settings.database_url(name)), EngineSettings()
            )
            upgrade(name, "api" if name == API_DATABASE else "cell", engine)
            engine.dispose()

    async def close(self) -> None:
        for host in self.hosts.values():
            await host.silence()
        if self.operator is not None:
            self.operator.stop.set()
            await asyncio.gather(self.operator.task, return_exceptions=True)
        if self._stores is not None:
            for store in self._stores.all().values():
                await store.close()

    # What users do and see.

    async def make_catalogue(self) -> None:
        await self.kube.create(NAMESPACE, {"metadata": {"name": SHOP}})
        await self.apply(Flavor.resource(), flavor_manifest())
        await self.apply(Image.resource(), image_manifest())
        await self.apply(Network.resource(), network_manifest())

    async def apply(self, resource: Resource, body: dict[str, Any]) -> None:
        await self.kube.apply_new(resource, body, field_manager=USER)

    async def create_server(self, name: str = "web-0", **spec: Any) -> Key:
        """Create a Server as the admission policy leaves it."""
        body = server_manifest(name, **spec)
        body["metadata"] = body["metadata"] | {"finalizers": [SERVER_FINALIZER]}
        await self.kube.create(Server.resource(), body)
        return Key(SHOP, name)

    async def change_server(self, key: Key, **spec: Any) -> None:
        """Set fields of the spec, as kubectl patch --type merge does."""
        server = await self.kube.get(Server.resource(), *key)
        await self.kube.replace(
            Server.resource(), server | {"spec": server["spec"] | spec}
        )

    async def annotate_server(self, key: Key, name: str, value: str) -> None:
        """Set an annotation, as kubectl annotate does."""
        server = await self.kube.get(Server.resource(), *key)
        known = server["metadata"].get("annotations") or {}
        metadata = server["metadata"] | {"annotations": known | {name: value}}
        await self.kube.replace(Server.resource(), server | {"metadata": metadata})

    async def delete_server(self, key: Key) -> None:
        server = await self.server(key)
        await self.kube.delete(Server.resource(), *key, uid=server.metadata.uid)

    async def server(self, key: Key) -> Server:
        return Server.model_validate(await self.kube.get(Server.resource(), *key))

    async def find_server(self, key: Key) -> Server | None:
        obj = await self.kube.find(Server.resource(), *key)
        return None if obj is None else Server.model_validate(obj)

    async def instances(self) -> list[Instance]:
        listed = await self.kube.list(Instance.resource())
        return [Instance.model_validate(obj) for obj in listed.items]

    async def wait_server(
        self,
        key: Key,
        check: Callable[[Server], bool],
        what: str,
        *,
        timeout_seconds: float = 20.0,
    ) -> Server:
        """Wait until a Server is as it should be; show it where it is not."""
        seen: list[Server | None] = [None]

        async def so() -> bool:
            seen[0] = await self.find_server(key)
            return seen[0] is not None and check(seen[0])

        await until(
            so,
            lambda: f"{what}: {seen[0] and seen[0].status.wire()}",
            timeout_seconds=timeout_seconds,
        )
        assert seen[0] is not None
        return seen[0]

    async def wait_state(self, key: Key, state: str, **limits: Any) -> Server:
        return await self.wait_server(
            key, lambda s: s.status.state == state, f"{key} is {state}", **limits
        )

    async def wait_gone(self, key: Key, *, timeout_seconds: float = 20.0) -> None:
        async def so() -> bool:
            return await self.find_server(key) is None

        await until(so, f"{key} is gone", timeout_seconds=timeout_seconds)

    # What is left.

    async def _read_stores(self) -> Stores:
        """Give stores of the test's own: an operator's end with it."""
        if self._stores is None:
            settings = Settings(namespace=SYSTEM, data_dir=self.folder)
            owner = await read_owner(self.kube, settings)
            self._stores = await open_stores(settings, owner)
        return self._stores

    @property
    def domains(self) -> dict[tuple[str, str], bool]:
        return {
            (host.name, name): domain.running
            for host in self.hosts.values()
            for name, domain in host.host.domains.items()
        }

    async def user_data_secrets(self) -> list[str]:
        listed = await self.kube.list(SECRET)
        names = [obj["metadata"]["name"] for obj in listed.items]
        return [name for name in names if name.endswith("-user-data")]

    async def find_tombstone(self, server_uid: str) -> Tombstone | None:
        """Return what is recorded of a Server's deletion."""
        return await (await self._read_stores()).api.find_tombstone(server_uid)

    async def leftovers(self) -> dict[str, Any]:
        """Everything that must be empty when no Server is left."""
        stores = await self._read_stores()
        held = [
            (view.host, dict(view.used))
            for view in await stores.api.list_provider_views()
            if any(view.used.values())
        ]
        found: dict[str, Any] = {
            "instances": [i.metadata.name for i in await self.instances()],
            "secrets": await self.user_data_secrets(),
            "domains": list(self.domains),
            "claims": held,
            "mappings": list(await stores.api.list_mappings()),
            "bookings": list(await stores.cells["cell1"].list_instances()),
            "addresses": await self._addresses_in_use(),
        }
        return {name: left for name, left in found.items() if left}

    async def wait_nothing_left(self, *, timeout_seconds: float = 60.0) -> None:
        # Kubernetes' garbage collector, which takes the Secrets, looks for new
        # kinds every 30 s only.
        left: list[dict[str, Any]] = [{}]

        async def so() -> bool:
            left[0] = await self.leftovers()
            return not left[0]

        await until(
            so, lambda: f"nothing is left: {left[0]}", timeout_seconds=timeout_seconds
        )

    async def _addresses_in_use(self) -> int:
        stores = await self._read_stores()
        network = await self.kube.get(Network.resource(), SHOP, "private")
        counted = await stores.api.count_addresses(network["metadata"]["uid"])
        return counted.used

    def audited_writes(self, since: int) -> list[str]:
        """Writes of operator and agents, and of the user, after a log position.

        Kubernetes' own garbage collector removes the Secrets; that is not ours.
        """
        lines = self.control_plane.audit_log.read_bytes()[since:].splitlines()
        found = []
        for line in lines:
            event = json.loads(line)
            ref = event.get("objectRef", {})
            resource, name = ref.get("resource", ""), ref.get("name", "")
            watched = resource in ("servers", "instances") or "user-data" in name
            if watched and event["userAgent"].startswith("kilonova"):
                part = f"/{ref['subresource']}" if "subresource" in ref else ""
                found.append(f"{event['verb']} {resource}{part}")
        return found

    @property
    def audit_position(self) -> int:
        return self.control_plane.audit_log.stat().st_size


@asynccontextmanager
async def server_stage(
    control_plane: ControlPlane, folder: Path, **settings: Any
) -> AsyncIterator[ServerStage]:
    """Give a stage on an API server that nobody else uses; no host joined yet."""
    connection = await load_kubeconfig(control_plane.kubeconfig, clock=SystemClock())
    async with KubeClient(connection) as kube:
        stage = ServerStage(control_plane, kube, connection, folder, settings)
        await apply_crds(kube)
        await kube.create(NAMESPACE, {"metadata": {"name": SYSTEM}})
        await asyncio.to_thread(stage.migrate)
        await stage.make_catalogue()
        try:
            yield stage
        finally:
            await stage.close()
