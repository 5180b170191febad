"""A Server on a real API server and real databases, its agents played."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from kilonova_lab.controlplane import ControlPlane
from support.server_stage import ServerStage, server_stage
from support.servers import reason_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServerStage]:
    folder: Path = tmp_path_factory.mktemp("databases")
    with ControlPlane() as control_plane:
        async with server_stage(control_plane, folder) as made:
            await made.start_operator()
            await made.add_host("hv1")
            await made.add_host("hv2")
            yield made


async def test_a_server_is_built_and_is_gone_without_a_trace(
    stage: ServerStage,
) -> None:
    key = await stage.create_server(userData="#cloud-config\n")
    server = await stage.wait_state(key, "ACTIVE")
    assert reason_of(server) == "Running"
    assert server.status.observed_generation == server.metadata.generation
    assert server.status.address is not None
    assert server.status.host in stage.hosts
    (instance,) = await stage.instances()
    assert instance.spec.server.uid == server.metadata.uid
    assert list(stage.domains.values()) == [True]
    assert len(await stage.user_data_secrets()) == 1
    await stage.delete_server(key)
    await stage.wait_gone(key)
    await stage.wait_nothing_left()


async def test_the_whole_life_of_a_server_costs_eight_writes(
    stage: ServerStage,
) -> None:
    since = stage.audit_position
    key = await stage.create_server(userData="#cloud-config\n")
    await stage.wait_state(key, "ACTIVE")
    await stage.delete_server(key)
    await stage.wait_gone(key)
    await stage.wait_nothing_left()
    writes = stage.audited_writes(since)
    by_user = [w for w in writes if w in ("create servers", "delete servers")]
    assert len(by_user) == 2
    assert len(writes) - len(by_user) <= 8, "\n".join(writes)


async def test_a_server_is_stopped_and_started(stage: ServerStage) -> None:
    key = await stage.create_server()
    await stage.wait_state(key, "ACTIVE")
    await stage.change_server(key, powerState="Stopped")
    server = await stage.wait_state(key, "SHUTOFF")
    assert reason_of(server) == "Stopped"
    assert list(stage.domains.values()) == [False]
    await stage.change_server(key, powerState="Running")
    await stage.wait_state(key, "ACTIVE")
    assert list(stage.domains.values()) == [True]
    await stage.delete_server(key)
    await stage.wait_gone(key)
    await stage.wait_nothing_left()


async def test_servers_created_at_once_spread_over_equal_hosts(
    stage: ServerStage,
) -> None:
    names = [f"at-once-{number}" for number in range(12)]
    keys = await asyncio.gather(*map(stage.create_server, names))
    servers = [await stage.wait_state(key, "ACTIVE") for key in keys]
    spread = Counter(server.status.host for server in servers)
    assert spread == {"hv1": 6, "hv2": 6}
    for key in keys:
        await stage.delete_server(key)
    for key in keys:
        await stage.wait_gone(key)
    await stage.wait_nothing_left()
