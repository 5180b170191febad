"""Which of a host's processors are given whole to guests, and which are shared.

Source: nova.virt.libvirt.driver.LibvirtDriver._get_vcpu_available and
_get_pcpu_available, Nova 34.
"""

from contextlib import suppress
from dataclasses import dataclass

from kilonova_api.compute_host_spec import HostCpuSets
from kilonova_api.cpu_set import BadCpuSet, format_cpu_set, parse_cpu_set
from kilonova_api.host_report import AgentReport
from kilonova_operator.domain.hosts.host_spec_errors import (
    CpuNotThere,
    CpuSetInvalid,
    CpuSetsOverlap,
)


@dataclass(frozen=True, slots=True)
class CpuDivision:
    """The host's PCPU and VCPU, by number of the processor."""

    dedicated: frozenset[int]
    shared: frozenset[int]


def divide_cpus(sets: HostCpuSets | None, report: AgentReport) -> CpuDivision:
    """Divide a host's processors as its admin says.

    Without sets all are shared; with a dedicated set alone none is.

    Raises:
        CpuSetInvalid, CpuSetsOverlap, CpuNotThere: each names the field.
    """
    there = list_cpus(report)
    if sets is None or (sets.dedicated_set is None and sets.shared_set is None):
        return CpuDivision(frozenset(), there)
    dedicated = _read("cpu.dedicatedSet", sets.dedicated_set, there)
    shared = _read("cpu.sharedSet", sets.shared_set, there)
    if both := dedicated & shared:
        raise CpuSetsOverlap(
            "cpu",
            f"processors {format_cpu_set(both)} are in dedicatedSet and in sharedSet. "
            "Take them out of one.",
        )
    return CpuDivision(dedicated, shared)


def list_cpus(report: AgentReport) -> frozenset[int]:
    """Return the numbers of the host's processors."""
    in_cells: set[int] = set()
    for cell in report.numa_cells:
        with suppress(BadCpuSet):  # 7-3, which the CRD's pattern lets through
            in_cells |= parse_cpu_set(cell.cpus)
    cores = 0 if report.cpu is None else report.cpu.cores
    return frozenset(in_cells or range(cores))


def _read(field: str, text: str | None, there: frozenset[int]) -> frozenset[int]:
    if text is None:
        return frozenset()
    try:
        cpus = parse_cpu_set(text)
    except BadCpuSet as bad:
        raise CpuSetInvalid(field, str(bad)) from bad
    if missing := cpus - there:
        raise CpuNotThere(
            field,
            f"the host has no processors {format_cpu_set(missing)}; it has "
            f"{format_cpu_set(there) or 'none'}.",
        )
    return cpus
