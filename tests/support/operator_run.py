"""The operator in this process, against a real API server."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.clock import SystemClock
from kilonova_api.kube.config import load_kubeconfig
from kilonova_api.kube.connection import Connection
from kilonova_api.kube.errors import AlreadyExists
from kilonova_api.kube.resources import CUSTOM_RESOURCE_DEFINITION, NAMESPACE
from kilonova_operator import manage
from kilonova_operator.context import Stores
from kilonova_operator.domain.epoch import Owner
from kilonova_operator.process.databases import open_stores
from kilonova_operator.process.parts import Parts, StoresOpener
from kilonova_operator.process.run import OperatorProcess
from kilonova_operator.services.crds import CrdCheck, HalfUpgraded
from kilonova_operator.services.servers.cell_wiring import build_cell_controllers
from kilonova_operator.services.servers.super_wiring import build_super_controllers
from kilonova_operator.settings import Settings
from support.fake_stores import FakeApiStore, FakeCellStore, FakeDatabase
from support.waiting import until

ROOT = Path(__file__).resolve().parents[2]


async def apply_crds(kube: KubeApi, *, but_not: frozenset[str] = frozenset()) -> None:
    """Install our CRDs and wait until they are served."""
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        body = yaml.safe_load(path.read_text())
        name = body["metadata"]["name"]
        if name in but_not:
            continue
        try:
            await kube.create(CUSTOM_RESOURCE_DEFINITION, body)
        except AlreadyExists:
            continue

    async def served() -> bool:
        try:
            await CrdCheck(kube).check()
        except HalfUpgraded:
            return bool(but_not)
        return True

    await until(served, "our CRDs are served")


@dataclass
class MemoryDatabases:
    """Databases in memory that outlive operators, and can be away."""

    api: FakeDatabase = field(default_factory=lambda: FakeDatabase("api", "db-api"))
    cell0: FakeDatabase = field(default_factory=lambda: FakeDatabase("cell0", "db-0"))
    cell1: FakeDatabase = field(default_factory=lambda: FakeDatabase("cell1", "db-1"))

    async def open(self, _settings: Settings, _owner: Owner) -> Stores:
        api: Any = FakeApiStore(self.api)
        await api.read_epoch()
        cells: Any = {
            "cell0": FakeCellStore(self.cell0),
            "cell1": FakeCellStore(self.cell1),
        }
        return Stores(
            api=api, cells=cells, revisions={"cell0": "0001", "cell1": "0001"}
        )

    def set_available(self, available: bool) -> None:  # noqa: FBT001
        for database in (self.api, self.cell0, self.cell1):
            database.available = available


@dataclass
class RunningOperator:
    """An operator that was started; ``task`` ends with what ended it."""

    process: OperatorProcess
    stop: asyncio.Event
    task: asyncio.Task[None]
    may_fail: bool = False

    async def wait_holding(self) -> None:
        await until(
            lambda: self.process.health.stage.startswith("holding") or self.task.done(),
            lambda: f"the operator leads (it is {self.process.health})",
            timeout_seconds=90.0,
        )
        if self.task.done():
            self.task.result()

    async def end(self) -> None:
        self.stop.set()
        await self.task

    async def kill(self) -> None:
        """End it as SIGKILL would, as far as one process can: no Lease released."""
        context = self.process._context
        if context is not None:
            context.leadership._held.clear()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@dataclass
class OperatorLab:
    """Starts operators against one API server."""

    kube: KubeApi
    connection: Connection
    settings: dict[str, Any]
    open_stores: StoresOpener = open_stores
    """Real SQLite files unless a test puts in others."""
    with_servers: bool = False
    _running: list[RunningOperator] = field(default_factory=list)

    def start(self, name: str = "operator-0", **settings: Any) -> RunningOperator:
        parts = Parts(
            kube=self.kube,
            connection=self.connection,
            open_stores=self.open_stores,
            super_controllers=(build_super_controllers,) if self.with_servers else (),
            cell_controllers=(build_cell_controllers,) if self.with_servers else (),
        )
        process = OperatorProcess(self.build_settings(pod_name=name, **settings), parts)
        stop = asyncio.Event()
        task = asyncio.create_task(process.run(stop))
        running = RunningOperator(process, stop, task)
        self._running.append(running)
        return running

    def build_settings(self, **settings: Any) -> Settings:
        return Settings(**(self.settings | settings))

    async def lead(self, name: str = "operator-0", **settings: Any) -> RunningOperator:
        running = self.start(name, **settings)
        await running.wait_holding()
        return running

    async def close(self) -> None:
        """End all; one that ended by itself fails the test that did not await it."""
        running, self._running = self._running, []
        for one in running:
            one.stop.set()
        await asyncio.gather(*(one.task for one in running), return_exceptions=True)
        for one in running:
            if not one.task.cancelled() and not one.may_fail:
                one.task.result()


def sync_databases(settings: Settings) -> None:
    """Make and migrate the databases, as the init container does."""
    asked = argparse.Namespace(database=None, wait_seconds=0)
    assert manage.sync(settings, asked, lambda _: None) == manage.OK


@asynccontextmanager
async def operator_lab(
    kubeconfig: Path, namespace: str, folder: Path
) -> AsyncIterator[OperatorLab]:
    """Give a lab whose operators live in ``namespace``; all end with it."""
    connection = await load_kubeconfig(kubeconfig, clock=SystemClock())
    async with KubeClient(connection) as kube:
        with suppress(AlreadyExists):
            await kube.create(NAMESPACE, {"metadata": {"name": namespace}})
        lab = OperatorLab(
            kube,
            connection,
            {
                "namespace": namespace,
                "data_dir": folder,
                "http_host": "127.0.0.1",
                "http_port": 0,
                "lease_seconds": 30,
                "drain_seconds": 8,
                "count_interval_seconds": 1,
            },
        )
        sync_databases(lab.build_settings())
        try:
            yield lab
        finally:
            await lab.close()
