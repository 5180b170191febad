"""What a host can give to guests: its own report, less what others hold there.

A hypervisor node has two masters. What the kubelet keeps for itself and what
Pods request is reserved, on top of what Nova reserves; what living guests take
that no Instance speaks of is used, though nobody claimed it. What a ComputeHost's
spec says goes before what the chart says of all hosts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kilonova_api.compute_host import PodPages
from kilonova_api.compute_host_spec import (
    AllocationRatios,
    ComputeHostSpec,
    Reserved,
    ReservedPages,
)
from kilonova_api.host_report import AgentReport
from kilonova_api.resources import Inventory as SpecInventory
from kilonova_api.resources import read_ratio
from kilonova_operator.domain.hosts.cpu_division import divide_cpus
from kilonova_operator.domain.hosts.host_spec_errors import PagesNotThere
from kilonova_operator.domain.hosts.nodes import NodeSummary, PodSummary
from kilonova_operator.domain.inventory import (
    DISK_GB,
    INITIAL_RATIOS,
    MEMORY_MB,
    PCPU,
    RESERVED_HOST_MEMORY_MB,
    VCPU,
    Inventory,
    ProviderView,
)

_AS_CHART = ComputeHostSpec()
_NOTHING_RESERVED = Reserved()
_NO_RATIOS = AllocationRatios()


@dataclass(frozen=True, slots=True)
class InventoryPolicy:
    """What a site reserves on every host, and how far it oversells."""

    reserved_cpus: int = 0
    reserved_memory_mib: int = RESERVED_HOST_MEMORY_MB
    reserved_disk_gib: int = 0
    cpu_ratio: float = INITIAL_RATIOS[VCPU]
    ram_ratio: float = INITIAL_RATIOS[MEMORY_MB]
    disk_ratio: float = INITIAL_RATIOS[DISK_GB]

    def of_host(self, spec: ComputeHostSpec) -> "InventoryPolicy":
        """Return what holds on a host, whose spec goes first."""
        reserved = spec.reserved or _NOTHING_RESERVED
        ratios = spec.allocation_ratios or _NO_RATIOS
        return InventoryPolicy(
            reserved_cpus=_first(reserved.vcpus, self.reserved_cpus),
            reserved_memory_mib=_first(reserved.memory_mib, self.reserved_memory_mib),
            reserved_disk_gib=_first(reserved.disk_gib, self.reserved_disk_gib),
            cpu_ratio=read_ratio(ratios.vcpu) or self.cpu_ratio,
            ram_ratio=read_ratio(ratios.memory) or self.ram_ratio,
            disk_ratio=read_ratio(ratios.disk) or self.disk_ratio,
        )


def build_inventories(
    report: AgentReport,
    node: NodeSummary,
    pods: Iterable[PodSummary],
    policy: InventoryPolicy,
    spec: ComputeHostSpec = _AS_CHART,
) -> Mapping[str, Inventory]:
    """Return the host's inventories by resource class.

    Raises:
        HostSpecRefused: the spec contradicts itself or the host.
    """
    on_node = tuple(pods)
    cpu_millis = node.kept_cpu_millis + sum(pod.cpu_millis for pod in on_node)
    memory_mib = node.kept_memory_mib + sum(pod.memory_mib for pod in on_node)
    cpus = divide_cpus(spec.cpu, report)
    if spec.reserved is not None:
        _check_pages(spec.reserved.hugepages, report)
    here = policy.of_host(spec)
    inventories = {
        VCPU: _inventory(
            len(cpus.shared),
            # A part of a core is lost in the ratio; on a host of two cores a
            # Pod of 0.1 would otherwise cost half of it.
            reserved=here.reserved_cpus + cpu_millis // 1000,
            ratio=here.cpu_ratio,
            unmanaged=report.unknown_vcpus,
        ),
        PCPU: _inventory(
            len(cpus.dedicated),
            unmanaged=0 if cpus.shared else report.unknown_vcpus,
        ),
        MEMORY_MB: _inventory(
            report.memory_mib,
            reserved=here.reserved_memory_mib + memory_mib,
            ratio=here.ram_ratio,
            unmanaged=report.unknown_memory_mib,
        ),
        DISK_GB: _inventory(
            report.disk_gib, reserved=here.reserved_disk_gib, ratio=here.disk_ratio
        ),
    }
    if not cpus.dedicated:
        del inventories[PCPU]
    elif not cpus.shared:
        del inventories[VCPU]
    return inventories | {
        given.resource_class: build_given_inventory(given) for given in spec.resources
    }


def sum_pages(pods: Iterable[PodSummary]) -> tuple[PodPages, ...]:
    """Return the huge pages that Pods request together, by size."""
    counts: dict[str, int] = {}
    for size, count in (pages for pod in pods for pages in pod.pages):
        counts[size] = counts.get(size, 0) + count
    return tuple(
        PodPages(size=size, count=count) for size, count in sorted(counts.items())
    )


def build_given_inventory(given: SpecInventory) -> Inventory:
    """Return an inventory that an admin wrote; what is left out, as in Placement."""
    return Inventory(
        total=given.total,
        reserved=given.reserved or 0,
        allocation_ratio=read_ratio(given.allocation_ratio) or 1.0,
        min_unit=given.min_unit or 1,
        max_unit=given.max_unit or given.total,
        step_size=given.step_size or 1,
    )


def find_overcommitted(view: ProviderView) -> Mapping[str, tuple[int, int]]:
    """Return classes of which more is in use than may be: use and capacity."""
    return {
        name: (view.used.get(name, 0) + inventory.unmanaged, int(inventory.capacity))
        for name, inventory in sorted(view.inventories.items())
        if view.free(name) < 0
    }


def _inventory(
    total: int, *, reserved: int = 0, ratio: float = 1.0, unmanaged: int = 0
) -> Inventory:
    return Inventory(
        total=total,
        reserved=min(reserved, total),
        allocation_ratio=ratio,
        # A guest never gets more than what the host has, whatever the ratio.
        max_unit=max(total, 1),
        unmanaged=unmanaged,
    )


def _check_pages(reserved: Iterable[ReservedPages], report: AgentReport) -> None:
    pools = {
        (cell.id, pool.size): pool.total
        for cell in report.numa_cells
        for pool in cell.page_pools
    }
    for pages in reserved:
        there = pools.get((pages.node, pages.size), 0)
        if pages.count > there:
            raise PagesNotThere(
                "reserved.hugepages",
                f"NUMA cell {pages.node} has {there} pages of {pages.size}, "
                f"{pages.count} cannot be reserved.",
            )


def _first(own: int | None, of_chart: int) -> int:
    return of_chart if own is None else own
