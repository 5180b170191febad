"""What a host can give to guests: its own report, less what others hold there.

A hypervisor node has two masters. What the kubelet keeps for itself and what
Pods request is reserved, on top of what Nova reserves; what living guests take
that no Instance speaks of is used, though nobody claimed it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kilonova_api.host_report import AgentReport
from kilonova_operator.domain.hosts.nodes import NodeSummary, PodSummary
from kilonova_operator.domain.inventory import (
    DISK_GB,
    INITIAL_RATIOS,
    MEMORY_MB,
    RESERVED_HOST_MEMORY_MB,
    VCPU,
    Inventory,
)


@dataclass(frozen=True, slots=True)
class InventoryPolicy:
    """What a site reserves on every host, and how far it oversells."""

    reserved_cpus: int = 0
    reserved_memory_mib: int = RESERVED_HOST_MEMORY_MB
    reserved_disk_gib: int = 0
    cpu_ratio: float = INITIAL_RATIOS[VCPU]
    ram_ratio: float = INITIAL_RATIOS[MEMORY_MB]
    disk_ratio: float = INITIAL_RATIOS[DISK_GB]


def build_inventories(
    report: AgentReport,
    node: NodeSummary,
    pods: Iterable[PodSummary],
    policy: InventoryPolicy,
) -> Mapping[str, Inventory]:
    """Return the host's inventories by resource class."""
    on_node = tuple(pods)
    cpu_millis = node.kept_cpu_millis + sum(pod.cpu_millis for pod in on_node)
    memory_mib = node.kept_memory_mib + sum(pod.memory_mib for pod in on_node)
    cores = 0 if report.cpu is None else report.cpu.cores
    return {
        VCPU: _inventory(
            cores,
            # A part of a core is lost in the ratio; on a host of two cores a
            # Pod of 0.1 would otherwise cost half of it.
            reserved=policy.reserved_cpus + cpu_millis // 1000,
            ratio=policy.cpu_ratio,
            unmanaged=report.unknown_vcpus,
        ),
        MEMORY_MB: _inventory(
            report.memory_mib,
            reserved=policy.reserved_memory_mib + memory_mib,
            ratio=policy.ram_ratio,
            unmanaged=report.unknown_memory_mib,
        ),
        DISK_GB: _inventory(
            report.disk_gib,
            reserved=policy.reserved_disk_gib,
            ratio=policy.disk_ratio,
            unmanaged=0,
        ),
    }


def _inventory(total: int, *, reserved: int, ratio: float, unmanaged: int) -> Inventory:
    return Inventory(
        total=total,
        reserved=min(reserved, total),
        allocation_ratio=ratio,
        # A guest never gets more than what the host has, whatever the ratio.
        max_unit=max(total, 1),
        unmanaged=unmanaged,
    )
