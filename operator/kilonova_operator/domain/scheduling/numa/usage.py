"""What a placed guest takes of its host's cells.

Source: nova.virt.hardware.numa_usage_from_instance_numa, Nova 34.
"""

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.scheduling.numa.cpu_mask import CpuMask
from kilonova_operator.domain.scheduling.numa.cpu_spec import format_cpu_spec
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement, PlacedCell
from kilonova_operator.domain.scheduling.numa.pages import page_use
from kilonova_operator.domain.scheduling.numa.topology import (
    CellState,
    CellUse,
    NumaState,
)


class CpuPinningInvalid(KilonovaError):
    """Guests and host disagree about pinned CPUs."""

    def __init__(self, host_cell: int, cpus: CpuMask, what: str) -> None:
        super().__init__(f"CPU {format_cpu_spec(cpus)} of NUMA cell {host_cell} {what}")
        self.host_cell = host_cell
        self.cpus = cpus


def add_guest(state: NumaState, placement: NumaPlacement) -> NumaState:
    """Return the host with a guest more. Cells it does not have are passed over.

    Raises:
        CpuPinningInvalid: a CPU is not dedicated here, or another guest's.
    """
    return _change(state, placement, sign=1)


def remove_guest(state: NumaState, placement: NumaPlacement) -> NumaState:
    """Return the host with a guest less. No amount goes below nothing.

    Raises:
        CpuPinningInvalid: a CPU is not dedicated here, or was not pinned.
    """
    return _change(state, placement, sign=-1)


def _change(state: NumaState, placement: NumaPlacement, *, sign: int) -> NumaState:
    return NumaState(
        tuple(_change_cell(cell, placement, sign=sign) for cell in state.cells)
    )


def find_taken(
    state: CellState, placement: NumaPlacement, placed: PlacedCell
) -> CpuMask:
    """Return the host's CPUs that a guest cell keeps from others.

    With those of a guest that isolates, their siblings, which stay idle.
    """
    taken = placed.taken
    if placement.thread_policy == "isolate":
        for core in state.cell.cores:
            taken |= core if core & placed.taken else 0
    return taken


def take_room(
    state: CellState, placed: PlacedCell, *, pinned: CpuMask, sign: int
) -> CellState:
    """Return a cell with a guest cell's amounts more (1) or less (-1)."""
    pages = page_use(state, placed.memory_mib, placed.page_size_kib)
    use = state.use
    changed = CellUse(
        shared_vcpus=max(0, use.shared_vcpus + sign * placed.shared.bit_count()),
        memory_mib=max(0, use.memory_mib + sign * placed.memory_mib),
        pinned=pinned,
        pages=tuple(
            max(0, used + sign * taken)
            for used, taken in zip(use.pages, pages, strict=True)
        ),
    )
    return CellState(state.cell, changed)


def _change_cell(state: CellState, placement: NumaPlacement, *, sign: int) -> CellState:
    for placed in placement.cells:
        if placed.host_cell == state.cell.number:
            pinned = _change_pins(state, placement, placed, sign=sign)
            state = take_room(state, placed, pinned=pinned, sign=sign)
    return state


def _change_pins(
    state: CellState, placement: NumaPlacement, placed: PlacedCell, *, sign: int
) -> CpuMask:
    cpus = find_taken(state, placement, placed)
    number, pinned = placed.host_cell, state.use.pinned
    if cpus & ~state.cell.dedicated:
        raise CpuPinningInvalid(
            number, cpus & ~state.cell.dedicated, "is none that guests are pinned to"
        )
    if sign > 0 and cpus & pinned:
        raise CpuPinningInvalid(number, cpus & pinned, "belongs to another guest")
    if sign < 0 and cpus & ~pinned:
        raise CpuPinningInvalid(number, cpus & ~pinned, "is pinned to no guest")
    return pinned | cpus if sign > 0 else pinned & ~cpus
