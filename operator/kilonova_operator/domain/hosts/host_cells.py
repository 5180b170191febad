"""A ComputeHost's NUMA cells, as its agent reports and its admin divides them."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from kilonova_api.compute_host import ComputeHost, PodPages
from kilonova_api.compute_host_spec import HostCpuSets, ReservedPages
from kilonova_api.host_report import NumaCell
from kilonova_operator.domain.hosts.cpu_division import divide_cpus
from kilonova_operator.domain.hosts.host_spec_errors import (
    CpuSetInvalid,
    HostSpecRefused,
)
from kilonova_operator.domain.scheduling.numa.host_topology import (
    HostTopologyInvalid,
    build_host_topology,
)
from kilonova_operator.domain.scheduling.numa.topology import HostTopology

_WITHOUT_SETS = HostCpuSets()


def build_cells(host: ComputeHost) -> HostTopology | None:
    """Return the host's cells; None while its agent reports none.

    Raises:
        HostSpecRefused: the sets of CPUs cannot be as they are.
    """
    report, spec = host.status.agent, host.spec
    if report is None or not report.numa_cells:
        return None
    divide_cpus(spec.cpu, report)
    own = () if spec.reserved is None else spec.reserved.hugepages
    pages = reserve_pages(report.numa_cells, own, host.status.pod_pages)
    try:
        return _build(report.numa_cells, spec.cpu or _WITHOUT_SETS, pages)
    except HostTopologyInvalid as invalid:
        raise CpuSetInvalid(invalid.field, str(invalid)) from invalid


def find_cells(
    host: ComputeHost, *, before: HostTopology | None = None
) -> HostTopology | None:
    """Return the host's cells; those ``before`` while its spec cannot be."""
    try:
        return build_cells(host)
    except HostSpecRefused:
        return before


def reserve_pages(
    cells: Sequence[NumaCell],
    reserved: Sequence[ReservedPages],
    of_pods: Iterable[PodPages],
) -> tuple[ReservedPages, ...]:
    """Return the pages of each cell that guests never get.

    Of which cell Pods got theirs, nobody tells. Those for which nothing is reserved
    are taken off every cell: guests may get fewer than there are, never more.
    """
    counts = {(page.node, page.size): page.count for page in reserved}
    for pages in of_pods:
        mine = sum(n for (_, size), n in counts.items() if size == pages.size)
        for cell in cells if pages.count > mine else ():
            key = (cell.id, pages.size)
            counts[key] = counts.get(key, 0) + pages.count - mine
    return tuple(
        ReservedPages(node=node, size=size, count=count)
        for (node, size), count in counts.items()
    )


@lru_cache(maxsize=4096)
def _build(
    cells: tuple[NumaCell, ...],
    cpus: HostCpuSets,
    pages: tuple[ReservedPages, ...],
) -> HostTopology | None:
    """Return cells; hosts of one make share theirs."""
    return build_host_topology(cells, cpus, pages)
