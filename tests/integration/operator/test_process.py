"""The operator's process: start, lead, follow, end, and the bad days between."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kilonova_api.kube.errors import StoreWentBack
from kilonova_api.kube.resources import CUSTOM_RESOURCE_DEFINITION, LEASE, NODE
from kilonova_lab.controlplane import ControlPlane
from kilonova_operator.services.store_freeze import WENT_BACK
from support.made_up_hosts import clear_hosts, find_host, make_node
from support.operator_program import OperatorProgram, operator_program
from support.operator_run import (
    MemoryDatabases,
    OperatorLab,
    RunningOperator,
    apply_crds,
    sync_databases,
)
from support.waiting import until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def readyz(operator: RunningOperator) -> tuple[int, dict[str, Any]]:
    url = f"http://127.0.0.1:{operator.process.http_port}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        body: dict[str, Any] = await answer.json()
        return answer.status, body


async def wait_stage(operator: RunningOperator, text: str) -> None:
    await until(
        lambda: text in operator.process.health.stage,
        lambda: f"{text!r} is said; it says {operator.process.health.stage!r}",
    )


async def wait_noted(operator: RunningOperator, version: int) -> None:
    """Wait until the API database knows that the store had reached a version."""
    context = operator.process._context
    assert context is not None

    async def noted() -> bool:
        return await context.stores.api.read_store_version() >= version

    await until(noted, f"version {version} is noted")


async def becomes_a_host(lab: OperatorLab, name: str) -> None:
    """Prove that an operator works: a new Node gets its ComputeHost."""
    await make_node(lab.kube, name)

    async def there() -> bool:
        host = await find_host(lab.kube, name)
        return host is not None and host.status.cell is not None

    await until(there, f"Node {name} becomes a host", timeout_seconds=60)


class Programs:
    """Operators as processes of their own, against one lab's API server."""

    def __init__(self, lab: OperatorLab, kubeconfig: Path, folder: Path) -> None:
        self._lab = lab
        self._kubeconfig = kubeconfig
        self._folder = folder
        self._stack = AsyncExitStack()

    async def start(self, pod_name: str) -> OperatorProgram:
        program = operator_program(
            self._folder,
            pod_name=pod_name,
            port=free_port(),
            namespace=self._lab.settings["namespace"],
            kubeconfig=self._kubeconfig,
            data_dir=self._folder,
            lease_seconds=6,
        )
        return await self._stack.enter_async_context(program)

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def programs(
    lab: OperatorLab, control_plane: ControlPlane, tmp_path: Path
) -> AsyncIterator[Programs]:
    made = Programs(lab, control_plane.kubeconfig, tmp_path)
    yield made
    await made.close()


async def test_a_standby_takes_over_from_a_killed_leader(
    lab: OperatorLab, programs: Programs
) -> None:
    leader = await programs.start("one")
    await leader.wait_stage("holding")
    standby = await programs.start("two")
    await standby.wait_stage("standing by")
    await leader.kill()
    await standby.wait_stage("holding")
    await becomes_a_host(lab, "after-kill")


async def test_a_terminated_leader_gives_its_leases_back_and_exits_with_zero(
    lab: OperatorLab, programs: Programs
) -> None:
    leader = await programs.start("one")
    await leader.wait_stage("holding")
    assert await leader.terminate() == 0, leader.log.read_text()
    leases = (await lab.kube.list(LEASE, lab.settings["namespace"])).items
    assert {lease["metadata"]["name"] for lease in leases} == {
        "kilonova-super",
        "kilonova-cell-cell1",
    }
    for lease in leases:
        assert not lease["spec"].get("holderIdentity"), lease["spec"]


async def test_an_idle_operator_stays_within_its_memory(programs: Programs) -> None:
    leader = await programs.start("one")
    await leader.wait_stage("holding")
    rss = leader.rss_mb()
    print(f"operator RSS {rss:.0f} MB")
    assert rss <= 160, f"{rss:.0f} MB"


async def test_a_leader_whose_lease_was_taken_ends_itself(lab: OperatorLab) -> None:
    operator = await lab.lead(lease_seconds=15)
    operator.may_fail = True
    namespace = lab.settings["namespace"]

    async def taken() -> bool:
        lease = await lab.kube.get(LEASE, namespace, "kilonova-super")
        lease["spec"]["holderIdentity"] = "somebody-else"
        await lab.kube.replace(LEASE, lease)
        return True

    assert await taken()
    await until(operator.task.done, "the operator has ended")
    error = operator.task.exception()
    assert "Lease" in str(error), repr(error)


async def test_a_database_that_is_down_at_start_is_waited_for(lab: OperatorLab) -> None:
    databases = MemoryDatabases()
    databases.set_available(False)
    lab.open_stores = databases.open
    operator = lab.start()
    await wait_stage(operator, "database api is unavailable")
    status, body = await readyz(operator)
    assert status == 503
    assert "connection refused" in body["stage"]
    databases.set_available(True)
    await operator.wait_holding()
    assert (await readyz(operator))[0] == 200


async def test_a_cells_database_that_comes_late_and_frozen_is_put_right(
    lab: OperatorLab,
) -> None:
    databases = MemoryDatabases()
    databases.cell1.available = False
    databases.cell1.frozen = (WENT_BACK, "it is older than it was")
    lab.open_stores = databases.open
    operator = await lab.lead(sweep_settle_seconds=0)
    assert (await readyz(operator))[0] == 200
    assert databases.cell1.term == 0
    databases.cell1.available = True
    await until(
        lambda: databases.cell1.frozen == ("", ""),
        lambda: f"cell1 goes on: {operator.process.health}, {databases.cell1}",
        timeout_seconds=60,
    )
    assert databases.cell1.term == 1


async def test_a_schema_that_is_not_current_ends_the_process_with_what_to_run(
    lab: OperatorLab, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    operator = lab.start(data_dir=empty)
    operator.may_fail = True
    await until(operator.task.done, "the operator has ended")
    assert "kilonova-manage db sync" in str(operator.task.exception())


async def test_work_resumes_after_a_database_was_away(lab: OperatorLab) -> None:
    databases = MemoryDatabases()
    lab.open_stores = databases.open
    operator = await lab.lead()
    databases.set_available(False)
    await make_node(lab.kube, "waits-for-database")

    async def registered() -> bool:
        return await find_host(lab.kube, "waits-for-database") is not None

    await until(registered, "what needs no database goes on")
    host = await find_host(lab.kube, "waits-for-database")
    assert host is not None
    assert host.status.cell is None
    assert not operator.task.done()
    databases.set_available(True)

    async def mapped() -> bool:
        found = await find_host(lab.kube, "waits-for-database")
        return found is not None and found.status.cell == "cell1"

    await until(mapped, "the host is mapped once the database is back")


async def test_nothing_is_written_before_the_crds_fit(
    own_control_plane: ControlPlane, own_bare_lab: OperatorLab
) -> None:
    lab = own_bare_lab
    absent = frozenset({"networks.compute.kilonova.dev"})
    await apply_crds(lab.kube, but_not=absent)
    operator = lab.start()
    await wait_stage(operator, "networks.compute.kilonova.dev is missing")
    await make_node(lab.kube, "too-early")
    leases = await lab.kube.list(LEASE, lab.settings["namespace"])
    assert leases.items == []
    await apply_crds(lab.kube)
    await operator.wait_holding()

    async def there() -> bool:
        return await find_host(lab.kube, "too-early") is not None

    await until(there, "the Node that waited becomes a host")


async def test_an_older_crd_is_named_with_the_field_it_lacks(
    own_bare_lab: OperatorLab,
) -> None:
    lab = own_bare_lab
    await apply_crds(lab.kube)
    name = "cells.compute.kilonova.dev"
    crd = await lab.kube.get(CUSTOM_RESOURCE_DEFINITION, None, name)
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["status"]["properties"]["schemaRevision"]
    columns = crd["spec"]["versions"][0]["additionalPrinterColumns"]
    crd["spec"]["versions"][0]["additionalPrinterColumns"] = [
        column for column in columns if "schemaRevision" not in column["jsonPath"]
    ]
    await lab.kube.replace(CUSTOM_RESOURCE_DEFINITION, crd)
    operator = lab.start()
    await wait_stage(operator, ".status.schemaRevision")


async def test_the_operator_lives_through_a_restart_of_the_api_server(
    own_control_plane: ControlPlane, own_lab: OperatorLab
) -> None:
    operator = await own_lab.lead(lease_seconds=60)
    await asyncio.to_thread(own_control_plane.apiserver.restart)
    await becomes_a_host(own_lab, "after-restart")
    assert not operator.task.done()


async def test_a_store_that_went_back_ends_the_process_and_the_next_is_frozen(
    own_control_plane: ControlPlane, own_lab: OperatorLab, tmp_path: Path
) -> None:
    operator = await own_lab.lead(store_check_seconds=1, lease_seconds=30)
    operator.may_fail = True
    await becomes_a_host(own_lab, "before")
    saved = tmp_path / "saved"
    await asyncio.to_thread(own_control_plane.save_store, saved)
    for number in range(20):
        await make_node(own_lab.kube, f"lost-{number}", labels={})
    lost = await own_lab.kube.get(NODE, None, "lost-19")
    await wait_noted(operator, int(lost["metadata"]["resourceVersion"]))
    await asyncio.to_thread(own_control_plane.restore_store, saved)
    await until(operator.task.done, "the operator has ended", timeout_seconds=120)
    assert isinstance(operator.task.exception(), StoreWentBack)
    sync_databases(own_lab.build_settings())
    after = await own_lab.lead(
        "operator-1", sweep_settle_seconds=5, host_down_seconds=5
    )
    context = after.process._context
    assert context is not None
    assert [frozen.reason for frozen in context.freeze.all] == [WENT_BACK]
    frozen_by = (await context.stores.api.read_epoch()).frozen_reason
    assert frozen_by == WENT_BACK, "the flag outlives the process"
    await until(
        lambda: not context.freeze.frozen, "the sweep lifts it", timeout_seconds=60
    )
    view = await context.stores.api.read_epoch()
    assert view.frozen_reason == ""


async def test_an_idle_operator_writes_nothing_but_leases(
    own_control_plane: ControlPlane, own_lab: OperatorLab
) -> None:
    await own_lab.lead(lease_seconds=9)
    await becomes_a_host(own_lab, "idle")
    await clear_hosts(own_lab.kube)

    def read_ours() -> list[str]:
        lines = own_control_plane.audit_log.read_text().splitlines()
        return [line for line in lines if '"kilonova' in line]

    def count_renewals_at_the_end() -> int:
        """Count the writes of Leases since our last write of something else."""
        is_lease = ['"leases"' in line for line in read_ours()]
        return is_lease[::-1].index(False)

    await until(lambda: count_renewals_at_the_end() >= 4, "the operator has settled")
    settled = len(read_ours())
    # Two Leases, each renewed every 3 s: 15 s, in which counts would be written.
    await until(
        lambda: len(read_ours()) >= settled + 10,
        "Leases are renewed again and again",
        timeout_seconds=60,
    )
    others = [line for line in read_ours()[settled:] if '"leases"' not in line]
    assert others == []
