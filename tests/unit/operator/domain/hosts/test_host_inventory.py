"""A host gives to guests what neither kubelet, Pods nor strangers hold."""

from dataclasses import replace
from typing import Any

import pytest

from kilonova_api.compute_host_spec import ComputeHostSpec
from kilonova_api.host_report import AgentReport, CpuReport
from kilonova_operator.domain.hosts.host_inventory import (
    InventoryPolicy,
    build_inventories,
    find_overcommitted,
)
from kilonova_operator.domain.hosts.host_spec_errors import HostSpecRefused
from kilonova_operator.domain.hosts.host_use import build_host_use
from kilonova_operator.domain.hosts.nodes import NodeSummary, PodSummary
from kilonova_operator.domain.inventory import (
    DISK_GB,
    MEMORY_MB,
    PCPU,
    VCPU,
    Inventory,
    ProviderView,
)

NODE = NodeSummary(
    name="hv1",
    uid="u",
    hypervisor=True,
    cell=None,
    zone=None,
    cordoned=False,
    kept_cpu_millis=500,
    kept_memory_mib=1024,
)
REPORT = AgentReport(
    host_id="11111111-1111-4111-8111-111111111111",
    agent_version="0.1.0",
    cpu=CpuReport(arch="x86_64", cores=8),
    memory_mib=16384,
    disk_gib=100,
)


def test_memory_is_less_what_nova_kubelet_and_pods_keep() -> None:
    pods = [PodSummary("hv1", 250, 512), PodSummary("hv1", 250, 512)]
    memory = build_inventories(REPORT, NODE, pods, InventoryPolicy())[MEMORY_MB]
    assert memory.reserved == 512 + 1024 + 1024
    assert memory.capacity == 16384 - 2560


def test_whole_cores_are_reserved_and_parts_of_one_are_not() -> None:
    light = [PodSummary("hv1", 400, 0)]
    heavy = [PodSummary("hv1", 1600, 0)]
    policy = InventoryPolicy()
    assert build_inventories(REPORT, NODE, light, policy)[VCPU].reserved == 0
    assert build_inventories(REPORT, NODE, heavy, policy)[VCPU].reserved == 2


def test_what_strangers_use_is_used() -> None:
    report = REPORT.model_copy(update={"unknown_vcpus": 3, "unknown_memory_mib": 2048})
    inventories = build_inventories(report, NODE, [], InventoryPolicy())
    assert inventories[VCPU].unmanaged == 3
    assert inventories[MEMORY_MB].unmanaged == 2048


def test_more_reserved_than_there_is_leaves_nothing_and_no_less() -> None:
    pods = [PodSummary("hv1", 0, 99999)]
    memory = build_inventories(REPORT, NODE, pods, InventoryPolicy())[MEMORY_MB]
    assert memory.capacity == 0


def test_one_guest_never_gets_more_than_the_host_has() -> None:
    inventories = build_inventories(REPORT, NODE, [], InventoryPolicy())
    assert inventories[VCPU].max_unit == 8
    assert inventories[VCPU].capacity == 32
    assert inventories[DISK_GB].max_unit == 100


def test_a_report_without_processors_gives_none() -> None:
    report = REPORT.model_copy(update={"cpu": None})
    node = replace(NODE, kept_cpu_millis=0)
    assert build_inventories(report, node, [], InventoryPolicy())[VCPU].capacity == 0


def test_use_is_shown_as_people_read_it() -> None:
    inventories = build_inventories(REPORT, NODE, [], InventoryPolicy())
    use = build_host_use([], inventories)
    assert (use.servers, use.vcpus, use.memory) == (0, "0/32", "0/14Gi")


def build_spec(**spec: Any) -> ComputeHostSpec:
    return ComputeHostSpec.model_validate(spec)


def build(spec: ComputeHostSpec, report: AgentReport = REPORT) -> Any:
    node = replace(NODE, kept_cpu_millis=0, kept_memory_mib=0)
    return build_inventories(report, node, [], InventoryPolicy(), spec)


def test_a_hosts_own_ratios_go_before_the_charts() -> None:
    spec = build_spec(allocationRatios={"vcpu": "2.0", "memory": "1.5"})
    inventories = build(spec)
    assert inventories[VCPU].capacity == 16
    assert inventories[MEMORY_MB].allocation_ratio == 1.5
    assert inventories[DISK_GB].allocation_ratio == 1.0


def test_a_hosts_own_reserve_goes_before_the_charts_even_if_it_is_none() -> None:
    inventories = build(build_spec(reserved={"memoryMiB": 0, "vcpus": 2, "diskGiB": 9}))
    assert [inventories[c].reserved for c in (MEMORY_MB, VCPU, DISK_GB)] == [0, 2, 9]


def test_dedicated_processors_are_given_once_and_shared_ones_oversold() -> None:
    inventories = build(build_spec(cpu={"dedicatedSet": "4-7", "sharedSet": "1-3"}))
    assert (inventories[PCPU].total, inventories[PCPU].capacity) == (4, 4)
    assert (inventories[VCPU].total, inventories[VCPU].capacity) == (3, 12)


def test_with_a_dedicated_set_alone_nothing_is_shared() -> None:
    inventories = build(build_spec(cpu={"dedicatedSet": "2-7"}))
    assert inventories[PCPU].total == 6
    assert VCPU not in inventories
    use = build_host_use([], inventories)
    assert use.vcpus == "0/6"


def test_strangers_take_of_what_there_is() -> None:
    report = REPORT.model_copy(update={"unknown_vcpus": 3})
    inventories = build(build_spec(cpu={"dedicatedSet": "2-7"}), report)
    assert inventories[PCPU].unmanaged == 3


def test_custom_resources_are_as_they_are_written() -> None:
    fpga = {"resourceClass": "CUSTOM_FPGA", "total": 8, "stepSize": 2, "maxUnit": 4}
    plain = {"resourceClass": "CUSTOM_LICENCE", "total": 5, "allocationRatio": "2.0"}
    inventories = build(build_spec(resources=[fpga, plain]))
    assert inventories["CUSTOM_FPGA"] == Inventory(total=8, max_unit=4, step_size=2)
    assert inventories["CUSTOM_LICENCE"] == Inventory(
        total=5, max_unit=5, allocation_ratio=2.0
    )


NUMA_CELL = {
    "id": 0,
    "cpus": "0-7",
    "memoryMiB": 16384,
    "pagePools": [{"size": "1Gi", "total": 4}],
}


@pytest.mark.parametrize(
    ("spec", "reason", "told"),
    [
        (
            {"cpu": {"dedicatedSet": "2-5", "sharedSet": "4-7"}},
            "CpuSetsOverlap",
            "4-5",
        ),
        ({"cpu": {"dedicatedSet": "6-9"}}, "CpuNotThere", "8-9; it has 0-7"),
        ({"cpu": {"sharedSet": "7-3"}}, "CpuSetInvalid", "spec.cpu.sharedSet"),
        (
            {"reserved": {"hugepages": [{"node": 0, "size": "1Gi", "count": 5}]}},
            "PagesNotThere",
            "NUMA cell 0 has 4 pages of 1Gi, 5 cannot be reserved",
        ),
        (
            {"reserved": {"hugepages": [{"node": 1, "size": "1Gi", "count": 1}]}},
            "PagesNotThere",
            "NUMA cell 1 has 0 pages",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(
    spec: Any, reason: str, told: str
) -> None:
    report = AgentReport.model_validate(
        REPORT.model_dump(by_alias=True) | {"numaCells": [NUMA_CELL]}
    )
    with pytest.raises(HostSpecRefused, match="spec") as refused:
        build(build_spec(**spec), report)
    assert refused.value.reason == reason
    assert told in str(refused.value)


def test_more_in_use_than_may_be_is_found() -> None:
    view = ProviderView(
        "hv1",
        "cell1",
        1,
        {VCPU: Inventory(total=2, unmanaged=1), MEMORY_MB: Inventory(total=1024)},
        used={VCPU: 2, MEMORY_MB: 1024},
    )
    assert find_overcommitted(view) == {VCPU: (3, 2)}
