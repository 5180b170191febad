"""A host's NUMA cells, from what its agent reports and its admin sets.

Source: nova.virt.libvirt.driver._get_host_numa_topology, Nova 34. CPUs that an
admin names and the host does not have are passed over here.
"""

from collections.abc import Iterable

from kilonova_api.compute_host_spec import HostCpuSets, ReservedPages
from kilonova_api.host_report import NumaCell
from kilonova_api.page_size import parse_page_size
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.scheduling.numa.cpu_mask import CpuMask, mask_of
from kilonova_operator.domain.scheduling.numa.cpu_spec import parse_cpu_spec
from kilonova_operator.domain.scheduling.numa.topology import (
    HostCell,
    HostTopology,
    PagePool,
)


class HostTopologyInvalid(KilonovaError):
    """A set of CPUs of a host cannot be read."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


def build_host_topology(
    cells: Iterable[NumaCell],
    cpus: HostCpuSets,
    reserved: Iterable[ReservedPages] = (),
) -> HostTopology | None:
    """Return the cells as the scheduler sees them; None if the host tells of none.

    With neither set, every CPU is shared and dedicated: such a host takes both
    kinds of guests, as Nova's do. A host with shared CPUs alone pins no guest.

    Raises:
        HostTopologyInvalid: with the field that cannot be read.
    """
    shared, dedicated = _find_kinds(cpus)
    pages = {(page.node, page.size): page.count for page in reserved}
    built = tuple(
        _build_cell(cell, shared=shared, dedicated=dedicated, reserved=pages)
        for cell in sorted(cells, key=lambda cell: cell.id)
    )
    return HostTopology(built) if built else None


def _find_kinds(cpus: HostCpuSets) -> tuple[CpuMask | None, CpuMask | None]:
    """Return shared and dedicated CPUs; None means every CPU of the host."""
    shared = _read("spec.cpus.sharedSet", cpus.shared_set)
    dedicated = _read("spec.cpus.dedicatedSet", cpus.dedicated_set)
    if cpus.shared_set:
        return shared, dedicated
    return (0, dedicated) if dedicated else (None, None)


def _build_cell(
    cell: NumaCell,
    *,
    shared: CpuMask | None,
    dedicated: CpuMask | None,
    reserved: dict[tuple[int, str], int],
) -> HostCell:
    cpus = _read(f"cell {cell.id}: cpus", cell.cpus)
    mine = cpus if shared is None else cpus & shared
    pinnable = cpus if dedicated is None else cpus & dedicated
    return HostCell(
        number=cell.id,
        memory_mib=cell.memory_mib,
        shared=mine,
        dedicated=pinnable,
        cores=_build_cores(cell, mine | pinnable),
        pages=tuple(
            PagePool(
                size_kib=parse_page_size(pool.size),
                total=pool.total,
                reserved=min(reserved.get((cell.id, pool.size), 0), pool.total),
            )
            for pool in cell.page_pools
        ),
    )


def _build_cores(cell: NumaCell, usable: CpuMask) -> tuple[CpuMask, ...]:
    """Return the usable threads of each core that has some."""
    cores = (mask_of(core) & usable for core in cell.list_cores())
    return tuple(core for core in cores if core)


def _read(field: str, spec: str | None) -> CpuMask:
    try:
        return parse_cpu_spec(spec or "")
    except ValueError as error:
        raise HostTopologyInvalid(field, str(error)) from error
