"""A flavor with dedicated CPUs on a real API server, from apply to nothing held."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kilonova_api.compute_host import ComputeHost
from kilonova_api.flavor import Flavor
from kilonova_api.instance import Instance
from kilonova_api.kube.resources import Key
from kilonova_lab.controlplane import ControlPlane
from support.made_up_hosts import find_host
from support.numa_hosts import two_cells
from support.server_stage import ServerStage, server_stage
from support.servers import flavor_manifest
from support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTS = ("hv1", "hv2")
PINNED = {"cpu": {"policy": "Dedicated"}, "vcpus": 2, "numa": {"nodes": 2}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServerStage]:
    """Two hosts of two cells of four CPUs, the first of each shared."""
    folder: Path = tmp_path_factory.mktemp("databases")
    with ControlPlane() as control_plane:
        async with server_stage(control_plane, folder) as made:
            await made.start_operator()
            for host in HOSTS:
                await made.add_host(host, cells=two_cells(cpus=4))
                await set_cpus(made, host, sharedSet="0,4", dedicatedSet="1-3,5-7")
            await made.apply(Flavor.resource(), flavor_manifest("pinned", **PINNED))
            yield made


async def set_cpus(stage: ServerStage, host: str, **cpu: str) -> None:
    """Set CPUs of a host apart, as an admin does."""
    found = await stage.kube.get(ComputeHost.resource(), None, host)
    await stage.kube.replace(
        ComputeHost.resource(), found | {"spec": found["spec"] | {"cpu": cpu}}
    )


async def create_pinned(stage: ServerStage, name: str) -> Key:
    return await stage.create_server(name, flavorRef={"name": "pinned"})


async def wait_orders(stage: ServerStage, count: int) -> list[Instance]:
    found: list[Instance] = []

    async def so() -> bool:
        found[:] = await stage.instances()
        return len(found) == count

    await until(so, lambda: f"{count} orders: {[i.spec.wire() for i in found]}")
    return found


def pins(instances: list[Instance]) -> Counter[tuple[str, int]]:
    return Counter(
        (instance.spec.host, pin.host_cpu)
        for instance in instances
        for cell in (instance.spec.numa.cells if instance.spec.numa else ())
        for pin in cell.pins
    )


async def test_dedicated_cpus_are_ordered_and_given_back(stage: ServerStage) -> None:
    key = await create_pinned(stage, "pinned-0")
    await stage.wait_state(key, "ACTIVE")
    (instance,) = await wait_orders(stage, 1)
    numa: Any = instance.spec.wire()["numa"]
    assert numa == {
        "cells": [
            {
                "hostCell": cell,
                "memoryMiB": 32,
                "vcpus": str(cell),
                "pins": [{"vcpu": cell, "hostCpu": cpu}],
            }
            for cell, cpu in ((0, 2), (1, 6))
        ],
        "emulatorCpus": "2,6",
    }
    assert instance.spec.cpu_set is None
    plain = await stage.create_server("plain")
    await stage.wait_state(plain, "ACTIVE")
    other = [i for i in await wait_orders(stage, 2) if i.spec.numa is None]
    assert [i.spec.cpu_set for i in other] == ["0,4"]
    for created in (key, plain):
        await stage.delete_server(created)
    for created in (key, plain):
        await stage.wait_gone(created)
    await stage.wait_nothing_left()


async def test_a_new_process_gives_no_cpu_again_and_a_full_cloud_waits(
    stage: ServerStage,
) -> None:
    keys = [await create_pinned(stage, f"many-{n}") for n in range(4)]
    for key in keys:
        await stage.wait_state(key, "ACTIVE")
    await stage.kill_operator()
    await stage.start_operator()
    keys += [await create_pinned(stage, f"many-{n}") for n in range(4, 7)]
    given: Counter[tuple[str, int]] = pins(await wait_orders(stage, 6))
    assert len(given) == 12
    assert set(given.values()) == {1}
    waiting: list[Key] = []

    async def one_waits() -> bool:
        servers = [await stage.server(key) for key in keys]
        waiting[:] = [
            key
            for key, server in zip(keys, servers, strict=True)
            if server.status.host is None and server.status.scheduling is not None
        ]
        return len(waiting) == 1

    await until(one_waits, lambda: f"one waits: {waiting}")
    gone = next(key for key in keys if key not in waiting)
    await stage.delete_server(gone)
    await stage.wait_state(waiting[0], "ACTIVE")
    assert set(pins(await wait_orders(stage, 6)).values()) == {1}
    for key in keys:
        if key != gone:
            await stage.delete_server(key)
    for key in keys:
        await stage.wait_gone(key)
    await stage.wait_nothing_left()


async def test_an_admin_who_takes_pinned_cpus_away_is_told_whose(
    stage: ServerStage,
) -> None:
    key = await create_pinned(stage, "stray")
    server = await stage.wait_state(key, "ACTIVE")
    host = str(server.status.host)
    await set_cpus(stage, host, sharedSet="0-2,4-6", dedicatedSet="3,7")
    shown: list[str] = []

    async def told() -> bool:
        found = await find_host(stage.kube, host)
        said = found and found.status.condition("PinConflict")
        shown[:] = [said.message] if said else []
        return bool(said)

    await until(told, lambda: f"PinConflict is shown: {shown}")
    assert "shop/stray (CPU 2 of NUMA cell 0 is not dedicated" in shown[0]
    await set_cpus(stage, host, sharedSet="0,4", dedicatedSet="1-3,5-7")

    async def silent() -> bool:
        return not await told()

    await until(silent, lambda: f"PinConflict goes: {shown}")
    await stage.delete_server(key)
    await stage.wait_gone(key)
    await stage.wait_nothing_left()
