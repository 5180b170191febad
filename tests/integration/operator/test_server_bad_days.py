"""Careless hands, hosts away, a server that restarts: all is whole again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kilonova_api.instance import Instance
from kilonova_api.kube.resources import (
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    Key,
)
from kilonova_api.names import ADOPT_ANNOTATION, GROUP, SERVER_FINALIZER, host_namespace
from kilonova_api.server import Server
from kilonova_lab.controlplane import ControlPlane
from kilonova_operator.context import Stores
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.services.servers.crd_health import CrdHealth
from support.operator_run import apply_crds
from support.server_stage import ServerStage, server_stage
from support.servers import reason_of
from support.waiting import until


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[ServerStage]:
    with ControlPlane() as control_plane:
        async with server_stage(control_plane, tmp_path) as made:
            await made.start_operator()
            await made.add_host("hv1")
            keeping = asyncio.create_task(made.keep_operator())
            yield made
            keeping.cancel()


async def running(stage: ServerStage, name: str = "web-0") -> Key:
    key = await stage.create_server(name, userData="#cloud-config\n")
    await stage.wait_state(key, "ACTIVE")
    return key


async def delete_by_hand(stage: ServerStage, kind: object, *key: str | None) -> None:
    found = await stage.kube.get(kind, *key)  # type: ignore[arg-type]
    await stage.kube.delete(kind, *key, uid=found["metadata"]["uid"])  # type: ignore[arg-type]


def check_untouched(stage: ServerStage, guests: int = 1) -> None:
    hosts = [stage_host.host for stage_host in stage.hosts.values()]
    assert sum(len(host.domains) for host in hosts) == guests
    assert sum(len(host.disks_built) for host in hosts) == guests
    assert sum(len(host.starts) for host in hosts) == guests
    assert [host.destroyed for host in hosts] == [[] for _ in hosts]


async def wait_instances(stage: ServerStage, count: int) -> list[Instance]:
    async def so() -> bool:
        return len(await stage.instances()) == count

    await until(so, f"{count} Instances", timeout_seconds=40)
    return await stage.instances()


async def test_a_deleted_instance_is_ordered_again(stage: ServerStage) -> None:
    await running(stage)
    (before,) = await stage.instances()
    meta = before.metadata
    await delete_by_hand(stage, Instance.resource(), meta.namespace, meta.name)

    async def again() -> bool:
        return any(i.metadata.uid != meta.uid for i in await stage.instances())

    await until(again, "the Instance is ordered again")
    (after,) = await stage.instances()
    assert after.spec.build_id == before.spec.build_id
    check_untouched(stage)


async def test_a_deleted_host_namespace_is_filled_again(stage: ServerStage) -> None:
    key = await running(stage)
    namespace = host_namespace("hv1")
    found = await stage.kube.get(NAMESPACE, None, namespace)
    await delete_by_hand(stage, NAMESPACE, None, namespace)

    async def again() -> bool:
        now = await stage.kube.find(NAMESPACE, None, namespace)
        return now is not None and now["metadata"]["uid"] != found["metadata"]["uid"]

    await until(again, "the namespace is made again", timeout_seconds=40)
    await wait_instances(stage, 1)
    check_untouched(stage)
    await stage.delete_server(key)
    await stage.wait_gone(key, timeout_seconds=40)
    assert stage.domains == {}


async def test_deleted_instance_kind_destroys_nothing_and_is_whole_again(
    stage: ServerStage,
) -> None:
    key = await running(stage)
    name = f"instances.{GROUP}"
    await delete_by_hand(stage, CUSTOM_RESOURCE_DEFINITION, None, name)

    async def gone() -> bool:
        return await stage.kube.find(CUSTOM_RESOURCE_DEFINITION, None, name) is None

    await until(gone, "the CRD is gone")
    check_untouched(stage)
    await apply_crds(stage.kube)
    await wait_instances(stage, 1)
    check_untouched(stage)
    assert (await stage.server(key)).status.state == "ACTIVE"


async def test_deleted_server_kind_destroys_nothing_and_guests_are_adopted(
    stage: ServerStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await running(stage)
    believed: list[bool] = []
    believes_deletes = CrdHealth.believes_deletes

    async def note(health: CrdHealth) -> bool:
        believed.append(await believes_deletes(health))
        return believed[-1]

    monkeypatch.setattr(CrdHealth, "believes_deletes", note)
    uuid = (await stage.server(key)).metadata.uid
    name = f"servers.{GROUP}"
    await delete_by_hand(stage, CUSTOM_RESOURCE_DEFINITION, None, name)
    await stage.wait_server(
        key, lambda s: s.metadata.deletion_timestamp is not None, "marked"
    )
    await until(lambda: bool(believed), "the operator judges the mark")
    assert not any(believed)
    assert await stage.find_tombstone(uuid) is None, "nobody meant to delete it"
    check_untouched(stage)
    await stage.kube.remove_finalizer(
        Server.resource(),
        await stage.kube.get(Server.resource(), *key),
        SERVER_FINALIZER,
    )

    async def gone() -> bool:
        return await stage.kube.find(CUSTOM_RESOURCE_DEFINITION, None, name) is None

    await until(gone, "the CRD is gone")
    await apply_crds(stage.kube)
    await stage.create_server(userData="#cloud-config\n")
    await stage.wait_server(
        key,
        lambda s: reason_of(s, "Stalled") == "DomainExists",
        "the living guest is told",
        timeout_seconds=60,
    )
    check_untouched(stage)
    await stage.annotate_server(key, ADOPT_ANNOTATION, uuid)
    adopted = await stage.wait_state(key, "ACTIVE", timeout_seconds=60)
    assert adopted.status.uuid == uuid
    check_untouched(stage)


async def test_a_delete_does_not_wait_for_a_host_that_is_away(
    stage: ServerStage,
) -> None:
    key = await running(stage)
    host = stage.hosts["hv1"]
    await host.silence()
    await stage.wait_server(
        key, lambda s: reason_of(s) == "HostDown", "told", timeout_seconds=60
    )
    await stage.delete_server(key)
    await stage.wait_gone(key)
    (instance,) = await stage.instances()
    assert instance.spec.destroy is not None
    assert "claims" in await stage.leftovers()
    host.wake()
    await stage.wait_nothing_left()


class Away:
    """A database that does not answer while ``away``."""

    def __init__(self, store: object) -> None:
        self._store = store
        self.away = True

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._store, name)
        if name == "close" or not callable(attribute):
            return attribute

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.away:
                raise DatabaseUnavailable("cell1", "connection refused")
            return await attribute(*args, **kwargs)

        return call


async def test_an_operator_starts_while_a_cells_database_is_down(
    stage: ServerStage,
) -> None:
    await running(stage)
    made: list[Away] = []

    def take_away(stores: Stores) -> Stores:
        made.append(Away(stores.cells["cell1"]))
        cells: Any = {**stores.cells, "cell1": made[-1]}
        return replace(stores, cells=cells)

    stage.wrap_stores = take_away
    await stage.kill_operator()
    key = await stage.create_server("web-1", userData="#cloud-config\n")
    placed = await stage.wait_server(
        key, lambda s: s.status.host == "hv1", "it is placed", timeout_seconds=60
    )
    assert placed.status.state != "ACTIVE"
    assert stage.operator is not None
    health = stage.operator.process.health
    assert health.ready
    assert "database" in health.problems["cell cell1"]
    check_untouched(stage)
    made[-1].away = False
    await stage.wait_state(key, "ACTIVE", timeout_seconds=60)
    check_untouched(stage, guests=2)
    await until(
        lambda: "cell cell1" not in health.problems, lambda: f"it is well: {health}"
    )


async def test_a_restarted_api_server_costs_nothing(stage: ServerStage) -> None:
    first = await running(stage)
    await asyncio.to_thread(stage.control_plane.apiserver.restart)
    second = await stage.create_server("web-1")
    await stage.wait_state(second, "ACTIVE", timeout_seconds=60)
    check_untouched(stage, guests=2)
    await stage.delete_server(first)
    await stage.wait_gone(first, timeout_seconds=60)
    assert len(stage.domains) == 1
