"""A ComputeHost's NUMA cells, as its agent reports and its admin divides them."""

from functools import lru_cache

from kilonova_api.compute_host import ComputeHost
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
    pages = () if spec.reserved is None else spec.reserved.hugepages
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


@lru_cache(maxsize=4096)
def _build(
    cells: tuple[NumaCell, ...],
    cpus: HostCpuSets,
    pages: tuple[ReservedPages, ...],
) -> HostTopology | None:
    """Return cells; hosts of one make share theirs."""
    return build_host_topology(cells, cpus, pages)
