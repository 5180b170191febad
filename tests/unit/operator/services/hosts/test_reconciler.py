"""A host shows what stands in its way, and keeps what was good."""

import pytest

from kilonova_api.kube.resources import POD, Key
from kilonova_operator.domain.inventory import MEMORY_MB, PCPU, VCPU
from support.host_stage import HostStage


@pytest.fixture
async def stage() -> HostStage:
    stage = HostStage()
    await stage.reconcile()
    return stage


async def test_a_settled_host_costs_no_write(stage: HostStage) -> None:
    stage.cluster.writes.clear()
    assert await stage.reconcile() is None
    assert stage.cluster.writes == []
    stage.restart()
    await stage.reconcile()
    assert stage.cluster.writes == []


async def test_the_columns_count_what_may_be_given_away(stage: HostStage) -> None:
    await stage.clock.advance(60)
    stage.put_host(allocationRatios={"vcpu": "2.0"}, cpu={"dedicatedSet": "6-7"})
    await stage.reconcile()
    assert stage.store.inventories["hv1"][PCPU].total == 2
    assert stage.host.status.vcpus == "0/2"
    await stage.clock.advance(60)
    stage.put_host(
        allocationRatios={"vcpu": "2.0"},
        cpu={"dedicatedSet": "6-7", "sharedSet": "0-5"},
    )
    await stage.reconcile()
    assert stage.host.status.vcpus == "0/14"


async def test_a_bad_spec_is_told_and_the_last_inventory_stays(
    stage: HostStage,
) -> None:
    before = stage.store.inventories["hv1"]
    stage.put_host(cpu={"dedicatedSet": "6-12"})
    await stage.reconcile()
    said = stage.said("InventoryInvalid")
    assert said is not None
    assert said[0] == "CpuNotThere"
    assert "spec.cpu.dedicatedSet" in said[1]
    assert "8-12" in said[1]
    assert stage.store.inventories["hv1"] == before
    assert stage.host.status.scheduling == "Enabled"
    stage.put_host()
    await stage.reconcile()
    assert stage.said("InventoryInvalid") is None


async def test_less_than_is_claimed_is_accepted_and_told_until_it_fits(
    stage: HostStage,
) -> None:
    stage.store.claimed["hv1"] = {MEMORY_MB: 8192, VCPU: 2}
    stage.put_host(reserved={"memoryMiB": 12288})
    again = await stage.reconcile()
    said = stage.said("OverCommitted")
    assert said is not None
    assert "MEMORY_MB 8192 of 4096" in said[1]
    assert stage.store.inventories["hv1"][MEMORY_MB].reserved == 12288
    assert again is not None
    stage.store.claimed["hv1"] = {MEMORY_MB: 4096}
    await stage.clock.advance(60)
    assert await stage.reconcile() is None
    assert stage.said("OverCommitted") is None


async def test_what_is_too_much_is_told_by_the_next_process_as_well(
    stage: HostStage,
) -> None:
    stage.store.claimed["hv1"] = {MEMORY_MB: 8192}
    stage.put_host(reserved={"memoryMiB": 12288})
    await stage.clock.advance(60)
    await stage.reconcile()
    stage.cluster.writes.clear()
    stage.restart()
    await stage.reconcile()
    assert stage.said("OverCommitted") is not None
    assert stage.cluster.writes == []


async def test_huge_pages_of_pods_are_shown_and_are_no_memory_for_guests(
    stage: HostStage,
) -> None:
    before = stage.store.inventories["hv1"][MEMORY_MB].reserved
    requests = {"memory": "64Mi", "hugepages-2Mi": "32Mi"}
    pod = {
        "nodeName": "hv1",
        "containers": [{"name": "dpdk", "resources": {"requests": requests}}],
    }
    stage.cluster.put(POD, {"metadata": {"name": "p", "namespace": "x"}, "spec": pod})
    await stage.reconcile()
    (pages,) = stage.host.status.pod_pages
    assert (pages.size, pages.count) == ("2Mi", 16)
    assert stage.store.inventories["hv1"][MEMORY_MB].reserved == before + 96
    stage.cluster.vanish("Pod", Key("x", "p"))
    await stage.reconcile()
    assert stage.host.status.pod_pages == ()


async def test_more_room_wakes_those_who_wait(stage: HostStage) -> None:
    woken = stage.woken
    stage.put_host(reserved={"memoryMiB": 1024})
    await stage.reconcile()
    assert stage.woken == woken
    stage.put_host(resources=[{"resourceClass": "CUSTOM_FPGA", "total": 2}])
    await stage.reconcile()
    assert stage.woken == woken + 1


async def test_a_disabled_host_says_why(stage: HostStage) -> None:
    stage.put_host(disabled=True, disabledReason="CHG-4711")
    await stage.reconcile()
    assert stage.host.status.scheduling == "Disabled"
    said = stage.said("Ready")
    assert said is not None
    assert said[0] == "Disabled"
    assert "CHG-4711" in said[1]


async def test_a_host_that_is_forced_down_is_down(stage: HostStage) -> None:
    stage.put_host(forcedDown=True)
    await stage.reconcile()
    assert stage.host.status.state == "Down"
    said = stage.said("Ready")
    assert said is not None
    assert said[0] == "ForcedDown"
    stage.put_host()
    await stage.reconcile()
    assert (stage.host.status.state, stage.host.status.scheduling) == ("Up", "Enabled")


async def test_an_aggregate_gives_the_zone_before_the_nodes_label(
    stage: HostStage,
) -> None:
    stage.put_node(zone="rack7")
    await stage.reconcile()
    assert stage.host.status.zone == "rack7"
    stage.put_zone("az1", "hv1")
    await stage.reconcile()
    assert stage.host.status.zone == "az1"
    stage.cluster.vanish("HostAggregate", Key("", "az1"))
    await stage.reconcile()
    assert stage.host.status.zone == "rack7"


async def test_two_zones_are_a_conflict_and_the_host_stays(stage: HostStage) -> None:
    stage.put_zone("az2", "hv1")
    await stage.reconcile()
    stage.put_zone("az1", "hv1")
    await stage.reconcile()
    assert stage.host.status.zone == "az2"
    said = stage.said("ZoneConflict")
    assert said is not None
    assert "az1 and az2" in said[1]


async def test_a_host_with_servers_changes_its_zone_once_it_is_empty(
    stage: HostStage,
) -> None:
    stage.put_zone("az1", "hv1")
    await stage.reconcile()
    stage.put_instance()
    stage.cluster.vanish("HostAggregate", Key("", "az1"))
    stage.put_zone("az2", "hv1")
    await stage.reconcile()
    assert stage.host.status.zone == "az1"
    said = stage.said("ZoneHeld")
    assert said is not None
    assert "zone az2" in said[1]
    stage.end_instance()
    await stage.reconcile()
    assert stage.host.status.zone == "az2"
    assert stage.said("ZoneHeld") is None


async def test_a_trait_that_nobody_knows_is_told(stage: HostStage) -> None:
    stage.put_host(traits=["HW_CPU_X86_AVX22", "CUSTOM_RACK_7"])
    await stage.reconcile()
    said = stage.said("UnknownTrait")
    assert said is not None
    assert "HW_CPU_X86_AVX22 (is HW_CPU_X86_AVX2 meant?)" in said[1]
    assert "CUSTOM_RACK_7" not in said[1]


async def test_a_guest_whose_cpus_were_taken_away_is_named(stage: HostStage) -> None:
    cells = [{"id": 0, "cpus": "0-7", "memoryMiB": 16384}]
    stage.put_host(cells=cells, cpu={"sharedSet": "0-3", "dedicatedSet": "4-7"})
    place = {"hostCell": 0, "memoryMiB": 16, "vcpus": "0"}
    pins = [{"vcpu": 0, "hostCpu": 3}]
    stage.put_instance(
        flavor={"vcpus": 1, "ramMiB": 16, "extraSpecs": {"hw:cpu_policy": "dedicated"}},
        numa={"cells": [place | {"pins": pins}], "emulatorCpus": "3"},
    )
    await stage.reconcile()
    said = stage.said("PinConflict")
    assert said is not None
    assert "shop/web-0 (CPU 3 of NUMA cell 0 is not dedicated)" in said[1]
    stage.put_host(cells=cells, cpu={"sharedSet": "0-2", "dedicatedSet": "3-7"})
    await stage.reconcile()
    assert stage.said("PinConflict") is None
