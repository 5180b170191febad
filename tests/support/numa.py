"""Hosts and guests of NUMA cells, in few words."""

from collections.abc import Iterable, Sequence

from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits
from kilonova_operator.domain.scheduling.numa.claim import NumaClaim
from kilonova_operator.domain.scheduling.numa.cpu_mask import (
    cpus_of,
    first_cpus,
    mask_of,
)
from kilonova_operator.domain.scheduling.numa.guest import (
    GuestCell,
    GuestTopology,
    NumaPlacement,
)
from kilonova_operator.domain.scheduling.numa.request import NumaRequest
from kilonova_operator.domain.scheduling.numa.topology import (
    CellState,
    CellUse,
    HostCell,
    HostTopology,
    NumaState,
    PagePool,
)

LIMITS = NumaLimits(cpu_ratio=4.0, ram_ratio=1.0)
SMALL_PAGES, BIG_PAGES, HUGE_PAGES = 4, 2048, 1048576


def made_request(
    vcpus: int = 4,
    memory_mib: int = 2048,
    *,
    image: dict[str, str] | None = None,
    **specs: str,
) -> NumaRequest:
    """A request; ``cpu_policy`` is said as ``hw:cpu_policy``, ``numa_mem_0`` as
    ``hw:numa_mem.0``."""
    named = {
        f"hw:{name[:-2]}.{name[-1]}" if name[-1].isdigit() else f"hw:{name}": word
        for name, word in specs.items()
    }
    return NumaRequest(vcpus, memory_mib, named, image or {})


def made_cell(
    number: int = 0,
    *,
    cores: Sequence[Sequence[int]] = ((0, 4), (1, 5), (2, 6), (3, 7)),
    shared: Sequence[int] | None = None,
    pinned: Sequence[int] = (),
    shared_vcpus: int = 0,
    memory_mib: int = 4096,
    memory_used_mib: int = 0,
    pages: Sequence[tuple[int, int, int]] = (),
) -> CellState:
    """A cell; without ``shared`` its CPUs are both shared and dedicated.

    ``pages``: size in KiB, total, used.
    """
    cpus = mask_of(cpu for core in cores for cpu in core)
    floating = cpus if shared is None else mask_of(shared)
    return CellState(
        HostCell(
            number=number,
            memory_mib=memory_mib,
            shared=floating,
            dedicated=cpus if shared is None else cpus & ~floating,
            cores=tuple(mask_of(core) for core in cores),
            pages=tuple(PagePool(size, total) for size, total, _ in pages),
        ),
        CellUse(
            shared_vcpus=shared_vcpus,
            memory_mib=memory_used_mib,
            pinned=mask_of(pinned),
            pages=tuple(used for _, _, used in pages),
        ),
    )


def made_host(*cells: CellState) -> NumaState:
    """A host of cells."""
    return NumaState(cells)


def pinned_guest(
    *vcpus: int, memory_mib: int = 512, **policies: object
) -> GuestTopology:
    """A guest with dedicated CPUs, so many in each of its cells."""
    cells, first = [], 0
    for count in vcpus:
        cells.append(GuestCell(memory_mib, dedicated=first_cpus(count) << first))
        first += count
    words = {"cpu_policy": "dedicated"} | policies
    return GuestTopology(tuple(cells), **words)  # type: ignore[arg-type]


def floating_guest(
    *vcpus: int, memory_mib: int = 512, **wishes: object
) -> GuestTopology:
    """A guest with shared CPUs, so many in each of its cells."""
    cells, first = [], 0
    for count in vcpus:
        cells.append(GuestCell(memory_mib, shared=first_cpus(count) << first))
        first += count
    return GuestTopology(tuple(cells), **wishes)  # type: ignore[arg-type]


def made_topology(
    cells: int = 2, *, cpus: int = 8, memory_mib: int = 4096, shared: int | None = 0
) -> HostTopology:
    """A host of alike cells of two-threaded cores.

    So many of the first CPUs are shared, and the others dedicated; None: all both.
    """
    built = []
    for number in range(cells):
        first = number * cpus
        all_cpus = range(first, first + cpus)
        floating = mask_of(all_cpus[:shared])
        dedicated = mask_of(all_cpus) if shared is None else mask_of(all_cpus[shared:])
        built.append(
            HostCell(
                number=number,
                memory_mib=memory_mib,
                shared=floating,
                dedicated=dedicated,
                cores=tuple(mask_of((cpu, cpu + 1)) for cpu in all_cpus[::2]),
                pages=(PagePool(SMALL_PAGES, memory_mib * 256),),
            )
        )
    return HostTopology(tuple(built))


def made_numa_claim(
    guest: GuestTopology, host: HostTopology | None = None
) -> NumaClaim:
    """What a guest asks of a host of two cells of eight dedicated CPUs."""
    return NumaClaim(guest, made_topology() if host is None else host, LIMITS)


def cpus_taken(placements: Iterable[NumaPlacement]) -> list[int]:
    """The host's CPUs that guests have for themselves, each as often as given."""
    return sorted(
        cpu
        for placement in placements
        for cell in placement.cells
        for cpu in cpus_of(cell.taken)
    )
