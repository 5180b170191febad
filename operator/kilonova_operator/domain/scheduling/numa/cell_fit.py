"""Whether one guest cell fits on one host cell, and how.

Source: nova.virt.hardware._numa_fit_instance_cell, Nova 34.
"""

from dataclasses import dataclass

from kilonova_operator.domain.scheduling.numa.guest import (
    GuestCell,
    GuestTopology,
    PlacedCell,
)
from kilonova_operator.domain.scheduling.numa.pages import (
    MemoryPlace,
    find_memory_place,
)
from kilonova_operator.domain.scheduling.numa.pin_room import has_pins
from kilonova_operator.domain.scheduling.numa.pinning import CellPins, find_pins
from kilonova_operator.domain.scheduling.numa.topology import CellState


@dataclass(frozen=True, slots=True)
class NumaLimits:
    """How far a host's cells may be oversold."""

    cpu_ratio: float
    ram_ratio: float


def cell_fits(
    host: CellState,
    cell: GuestCell,
    guest: GuestTopology,
    *,
    limits: NumaLimits,
    reserve: bool = False,
) -> bool:
    """Tell whether a guest cell has room on a host cell.

    ``reserve``: it takes a dedicated CPU more, for the emulator.
    """
    if guest.is_pinned:
        dedicated = cell.dedicated.bit_count()
        if dedicated + reserve > host.free_dedicated.bit_count() or not has_pins(
            host, dedicated, thread_policy=guest.thread_policy, reserve=reserve
        ):
            return False
    return (
        _fits_shared(host, cell, guest, limits)
        and _memory_place(host, cell, guest) is not None
    )


def fit_cell(
    host: CellState,
    cell: GuestCell,
    guest: GuestTopology,
    *,
    limits: NumaLimits,
    reserve: bool = False,
) -> PlacedCell | None:
    """Place a guest cell on a host cell; None if it does not fit."""
    if not cell_fits(host, cell, guest, limits=limits, reserve=reserve):
        return None
    memory = _memory_place(host, cell, guest)
    pins = _find_pins(host, cell, guest, reserve=reserve)
    if memory is None or pins is None:
        return None
    return PlacedCell(
        host_cell=host.cell.number,
        memory_mib=cell.memory_mib,
        shared=cell.shared,
        pins=pins.pairs,
        reserved=pins.reserved,
        page_size_kib=memory.page_size_kib,
    )


def _find_pins(
    host: CellState, cell: GuestCell, guest: GuestTopology, *, reserve: bool
) -> CellPins | None:
    if not guest.is_pinned:
        return CellPins(())
    return find_pins(
        host, cell.dedicated, thread_policy=guest.thread_policy, reserve=reserve
    )


def _memory_place(
    host: CellState, cell: GuestCell, guest: GuestTopology
) -> MemoryPlace | None:
    return find_memory_place(
        host, cell.memory_mib, wish=guest.page_wish, oversold=not guest.is_pinned
    )


def _fits_shared(
    host: CellState, cell: GuestCell, guest: GuestTopology, limits: NumaLimits
) -> bool:
    """Check shared CPUs, and with them how far the cell is oversold.

    A guest is never oversold against itself: it has at most as many CPUs as the cell.
    """
    if guest.cpu_policy == "dedicated":
        return True
    vcpus, cpus = cell.shared.bit_count(), host.cell.shared.bit_count()
    memory_mib = host.use.memory_mib + cell.memory_mib
    return (
        vcpus <= cpus
        and host.use.shared_vcpus + vcpus <= cpus * limits.cpu_ratio
        and memory_mib <= host.cell.memory_mib * limits.ram_ratio
    )
