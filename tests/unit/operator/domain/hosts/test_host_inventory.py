"""A host gives to guests what neither kubelet, Pods nor strangers hold."""

from dataclasses import replace

from kilonova_api.host_report import AgentReport, CpuReport
from kilonova_operator.domain.hosts.host_inventory import (
    InventoryPolicy,
    build_inventories,
)
from kilonova_operator.domain.hosts.host_use import build_host_use
from kilonova_operator.domain.hosts.nodes import NodeSummary, PodSummary
from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU

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
