"""Aggregates, groups and quotas on a real API server and real databases."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kilonova_api.compute_host import ComputeHost
from kilonova_api.flavor import Flavor
from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.kube.resources import NAMESPACE, Key, Resource
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_api.server_quota import ServerQuota
from kilonova_lab.controlplane import ControlPlane
from kilonova_operator.services.witnesses import build_witness
from support.server_stage import ServerStage, server_stage
from support.servers import NAMESPACE as SHOP
from support.servers import flavor_manifest, group_manifest
from support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServerStage]:
    folder: Path = tmp_path_factory.mktemp("databases")
    with ControlPlane() as control_plane:
        async with server_stage(
            control_plane, folder, count_interval_seconds=1
        ) as made:
            await made.start_operator()
            await made.add_host("hv1")
            await made.add_host("hv2")
            yield made


async def wait_status(
    stage: ServerStage,
    resource: Resource,
    key: Key,
    check: Callable[[dict[str, Any]], bool],
) -> dict[str, Any]:
    """Return a status once it is as it should be."""
    seen: list[dict[str, Any]] = [{}]

    async def so() -> bool:
        found = await stage.kube.find(resource, key.namespace or None, key.name)
        seen[0] = {} if found is None else found.get("status", {})
        return check(seen[0])

    await until(so, lambda: f"{resource.kind} {key}: {seen[0]}", timeout_seconds=30)
    return seen[0]


def ready_reason(status: dict[str, Any]) -> str:
    conditions = status.get("conditions", ())
    return next((c["reason"] for c in conditions if c["type"] == "Ready"), "")


def condition_types(status: dict[str, Any]) -> set[str]:
    return {condition["type"] for condition in status.get("conditions", ())}


def ready_message(server: Server) -> str:
    ready = server.status.condition("Ready")
    return "" if ready is None else ready.message


def put_aggregate(stage: ServerStage, name: str, **spec: Any) -> Any:
    body = {"metadata": {"name": name}, "spec": spec}
    return stage.apply(HostAggregate.resource(), body)


async def remove(stage: ServerStage, resource: Resource, key: Key) -> None:
    found = await stage.kube.get(resource, key.namespace or None, key.name)
    await stage.kube.delete(
        resource, key.namespace or None, key.name, uid=found["metadata"]["uid"]
    )


async def wait_zone(stage: ServerStage, host: str, zone: str | None) -> dict[str, Any]:
    return await wait_status(
        stage,
        ComputeHost.resource(),
        Key("", host),
        lambda status: status.get("zone") == zone,
    )


async def test_an_aggregate_makes_its_hosts_a_zone_and_lets_them_go(
    stage: ServerStage,
) -> None:
    await put_aggregate(stage, "east", hosts=["hv1"], availabilityZone="az1")
    await wait_zone(stage, "hv1", "az1")
    shown = await wait_status(
        stage,
        HostAggregate.resource(),
        Key("", "east"),
        lambda status: ready_reason(status) == "HasHosts",
    )
    assert shown["hosts"] == 1
    await remove(stage, HostAggregate.resource(), Key("", "east"))
    await wait_zone(stage, "hv1", None)


async def test_two_zones_of_one_host_are_told_on_all_sides(stage: ServerStage) -> None:
    await put_aggregate(stage, "west", hosts=["hv2"], availabilityZone="az2")
    await wait_zone(stage, "hv2", "az2")
    await put_aggregate(stage, "north", hosts=["hv2"], availabilityZone="az3")
    for name in ("west", "north"):
        await wait_status(
            stage,
            HostAggregate.resource(),
            Key("", name),
            lambda status: ready_reason(status) == "ZoneConflict",
        )
    host = await wait_status(
        stage,
        ComputeHost.resource(),
        Key("", "hv2"),
        lambda status: "ZoneConflict" in condition_types(status),
    )
    assert host["zone"] == "az2"
    for name in ("north", "west"):
        await remove(stage, HostAggregate.resource(), Key("", name))
    await wait_zone(stage, "hv2", None)


async def test_a_host_that_holds_a_server_keeps_its_zone(stage: ServerStage) -> None:
    key = await stage.create_server()
    server = await stage.wait_state(key, "ACTIVE")
    host = server.status.host
    assert host is not None
    await put_aggregate(stage, "late", hosts=[host], availabilityZone="az9")
    shown = await wait_status(
        stage,
        ComputeHost.resource(),
        Key("", host),
        lambda status: "ZoneHeld" in condition_types(status),
    )
    assert shown.get("zone") is None
    await wait_status(
        stage,
        HostAggregate.resource(),
        Key("", "late"),
        lambda status: ready_reason(status) == "ZoneHeld",
    )
    await stage.delete_server(key)
    await stage.wait_gone(key)
    await wait_zone(stage, host, "az9")
    await wait_status(
        stage,
        HostAggregate.resource(),
        Key("", "late"),
        lambda status: ready_reason(status) == "HasHosts",
    )
    await remove(stage, HostAggregate.resource(), Key("", "late"))
    await wait_zone(stage, host, None)


async def test_what_an_aggregate_shares_is_a_provider_while_it_is_there(
    stage: ServerStage,
) -> None:
    store = (await stage._read_stores()).api
    shared = [{"resourceClass": "DISK_GB", "total": 1000}]
    await put_aggregate(stage, "nfs", hosts=["hv1"], sharedResources=shared)

    async def is_there() -> bool:
        found = await store.find_provider("aggregate:nfs")
        return found is not None and found.shares and "nfs" in found.aggregates

    await until(is_there, "a sharing provider")
    await remove(stage, HostAggregate.resource(), Key("", "nfs"))

    async def is_gone() -> bool:
        return await store.find_provider("aggregate:nfs") is None

    await until(is_gone, "no sharing provider")


async def test_servers_take_of_what_their_aggregate_shares_and_no_more(
    stage: ServerStage,
) -> None:
    store = (await stage._read_stores()).api
    licence = [{"resourceClass": "CUSTOM_LICENCE", "total": 1}]
    await put_aggregate(stage, "licensed", hosts=["hv2"], sharedResources=licence)
    flavor = flavor_manifest("licensed", extraSpecs={"resources:CUSTOM_LICENCE": "1"})
    await stage.apply(Flavor.resource(), flavor)
    asked = {"flavorRef": {"name": "licensed"}}
    first = await stage.create_server("first", **asked)
    server = await stage.wait_state(first, "ACTIVE")
    assert server.status.host == "hv2"
    (held,) = await store.list_claims(server.metadata.uid)
    assert held.shared == {"aggregate:licensed": {"CUSTOM_LICENCE": 1}}
    assert "CUSTOM_LICENCE" not in held.amounts
    (ordered,) = await stage.instances()
    witness = build_witness(ordered)
    assert (witness.amounts, witness.shared) == (held.amounts, held.shared)
    second = await stage.create_server("second", **asked)
    await stage.wait_server(
        second, lambda s: s.status.why == "NoValidHost", "no licence is left"
    )
    await stage.delete_server(first)
    await stage.wait_gone(first)
    await stage.wait_state(second, "ACTIVE")
    await remove(stage, HostAggregate.resource(), Key("", "licensed"))
    await stage.delete_server(second)
    await stage.wait_gone(second)


async def test_a_host_that_shrinks_below_its_claims_keeps_them_and_gets_no_more(
    stage: ServerStage,
) -> None:
    async def set_spec(host: str, **spec: Any) -> None:
        found = await stage.kube.get(ComputeHost.resource(), None, host)
        await stage.kube.replace(ComputeHost.resource(), found | {"spec": spec})

    def wait_conditions(host: str, *, overcommitted: bool) -> Any:
        return wait_status(
            stage,
            ComputeHost.resource(),
            Key("", host),
            lambda s: ("OverCommitted" in condition_types(s)) is overcommitted,
        )

    first = await stage.create_server("stays")
    host = (await stage.wait_state(first, "ACTIVE")).status.host
    assert host is not None
    await set_spec(host, reserved={"memoryMiB": 1_000_000})
    shown = await wait_conditions(host, overcommitted=True)
    assert shown["scheduling"] == "Enabled"
    keys = [first]
    for name in ("other-1", "other-2"):
        keys.append(await stage.create_server(name))
        server = await stage.wait_state(keys[-1], "ACTIVE")
        assert server.status.host != host
    assert (await stage.server(first)).status.state == "ACTIVE"
    await set_spec(host)
    await wait_conditions(host, overcommitted=False)
    for key in keys:
        await stage.delete_server(key)
        await stage.wait_gone(key)


async def test_a_quota_shows_what_is_used_of_what_is_allowed(
    stage: ServerStage,
) -> None:
    quota = Key(SHOP, "quota")

    async def set_quota(**spec: Any) -> None:
        metadata = {"name": quota.name, "namespace": quota.namespace}
        await stage.apply(ServerQuota.resource(), {"metadata": metadata, "spec": spec})

    async def wait_columns(*columns: str) -> dict[str, Any]:
        return await wait_status(
            stage,
            ServerQuota.resource(),
            quota,
            lambda s: (s.get("instances"), s.get("cores"), s.get("ramMiB")) == columns,
        )

    await set_quota(instances=2, cores=4)
    await wait_columns("0/2", "0/4", "0")
    keys = [await stage.create_server(f"counted-{n}") for n in range(2)]
    for key in keys:
        await stage.wait_state(key, "ACTIVE")
    await wait_columns("2/2", "2/4", "128")
    await set_quota(instances=1, cores=4)
    shown = await wait_columns("2/1", "2/4", "128")
    assert "OverQuota" in condition_types(shown)
    for key in keys:
        await stage.delete_server(key)
    for key in keys:
        await stage.wait_gone(key)
    shown = await wait_columns("0/1", "0/4", "0")
    assert "OverQuota" not in condition_types(shown)
    await remove(stage, ServerQuota.resource(), quota)


async def test_a_server_beyond_its_quota_waits_until_it_is_raised(
    stage: ServerStage,
) -> None:
    body = {"metadata": {"name": "quota", "namespace": SHOP}, "spec": {"instances": 1}}
    await stage.apply(ServerQuota.resource(), body)
    first = await stage.create_server("within")
    await stage.wait_state(first, "ACTIVE")
    second = await stage.create_server("beyond")
    await stage.wait_server(
        second, lambda s: "quota" in ready_message(s), "the quota stands in its way"
    )
    await stage.apply(ServerQuota.resource(), body | {"spec": {"instances": 2}})
    await stage.wait_state(second, "ACTIVE")
    await remove(stage, ServerQuota.resource(), Key(SHOP, "quota"))
    for key in (first, second):
        await stage.delete_server(key)
        await stage.wait_gone(key)


async def test_the_charts_default_holds_where_no_quota_is(stage: ServerStage) -> None:
    context = stage.operator.process._context if stage.operator else None
    assert context is not None
    found = await stage.kube.get(NAMESPACE, None, SHOP)
    assert context.informers.namespaces.find(Key("", SHOP)) == found["metadata"]["uid"]


async def test_a_group_counts_members_and_warns_of_a_network_that_ends_at_a_host(
    stage: ServerStage,
) -> None:
    group = Key(SHOP, "db")
    first = await stage.create_server("db-0", serverGroupRef={"name": "db"})
    await stage.wait_server(
        first, lambda s: "ServerGroup db" in ready_message(s), "it waits for the group"
    )
    await stage.apply(ServerGroup.resource(), group_manifest())
    await stage.wait_state(first, "ACTIVE")
    second = await stage.create_server("db-1", serverGroupRef={"name": "db"})
    await stage.wait_state(second, "ACTIVE")
    shown = await wait_status(
        stage,
        ServerGroup.resource(),
        group,
        lambda status: status.get("placed") == "2/2",
    )
    assert shown["domains"] == "2"
    assert ready_reason(shown) == "Placed"
    assert "HostLocalNetwork" in condition_types(shown)
    hosts = {(await stage.server(key)).status.host for key in (first, second)}
    assert hosts == {"hv1", "hv2"}
    for key in (first, second):
        await stage.delete_server(key)
        await stage.wait_gone(key)
    await wait_status(
        stage, ServerGroup.resource(), group, lambda s: s.get("members") == 0
    )
    await remove(stage, ServerGroup.resource(), group)


async def test_nothing_is_written_while_nothing_happens(stage: ServerStage) -> None:
    await put_aggregate(stage, "idle", hosts=["hv1", "hv2"], metadata={"ssd": "yes"})
    await stage.apply(ServerGroup.resource(), group_manifest("idle"))
    await wait_status(
        stage,
        ServerGroup.resource(),
        Key(SHOP, "idle"),
        lambda status: ready_reason(status) == "Empty",
    )
    await wait_status(
        stage,
        HostAggregate.resource(),
        Key("", "idle"),
        lambda status: status.get("hosts") == 2,
    )

    async def read_versions() -> dict[str, str]:
        kinds = (HostAggregate, ServerGroup, ServerQuota)
        return {
            obj["metadata"]["uid"]: obj["metadata"]["resourceVersion"]
            for kind in kinds
            for obj in (await stage.kube.list(kind.resource())).items
        }

    await asyncio.sleep(1.5)  # the longest that a count may wait here
    before = await read_versions()
    await asyncio.sleep(3)
    assert await read_versions() == before
