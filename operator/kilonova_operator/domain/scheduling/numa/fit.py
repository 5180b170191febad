"""The host cells of a guest's cells.

Every guest cell gets a host cell of its own. Host cells are tried in the order of
preference, and the first way that fits all guest cells is taken: the one Nova finds
by going through all permutations. There are 40,320 of them with eight cells, so
here a matching tells beforehand whether the rest still fits.

Source: nova.virt.hardware.numa_fit_instance_to_host, Nova 34.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import islice

from kilonova_operator.domain.scheduling.numa.cell_fit import (
    NumaLimits,
    cell_fits,
    fit_cell,
)
from kilonova_operator.domain.scheduling.numa.guest import (
    GuestTopology,
    NumaPlacement,
    PlacedCell,
)
from kilonova_operator.domain.scheduling.numa.topology import CellState, NumaState

_Fits = Callable[[int, int], bool]
"""Whether a guest cell fits on a host cell, both by their place in line."""


def guest_fits(host: NumaState, guest: GuestTopology, *, limits: NumaLimits) -> bool:
    """Tell whether a guest has a place on a host, without choosing it."""
    if len(guest.cells) > len(host.cells):
        return False

    def fits(guest_cell: int, host_cell: int) -> bool:
        return cell_fits(
            host.cells[host_cell],
            guest.cells[guest_cell],
            guest,
            limits=limits,
            reserve=guest.reserves(guest_cell),
        )

    if guest.cells_alike:
        fitting = (number for number in range(len(host.cells)) if fits(0, number))
        return sum(1 for _ in islice(fitting, len(guest.cells))) == len(guest.cells)
    return _can_match(range(len(guest.cells)), len(host.cells), set(), cache(fits))


def fit_guest(
    host: NumaState, guest: GuestTopology, *, limits: NumaLimits, packing: bool = False
) -> NumaPlacement | None:
    """Place a guest on a host; None if it does not fit.

    ``packing``: fuller host cells first, not emptier ones.
    """
    line = _in_order(host, guest, packing=packing)

    @cache
    def placed(guest_cell: int, host_cell: int) -> PlacedCell | None:
        return fit_cell(
            line[host_cell],
            guest.cells[guest_cell],
            guest,
            limits=limits,
            reserve=guest.reserves(guest_cell),
        )

    chosen = _first_assignment(
        len(guest.cells), len(line), lambda g, h: placed(g, h) is not None
    )
    if chosen is None:
        return None
    cells = (placed(g, h) for g, h in enumerate(chosen))
    return NumaPlacement(
        cells=tuple(cell for cell in cells if cell is not None),
        cpu_policy=guest.cpu_policy,
        thread_policy=guest.thread_policy,
        emulator_policy=guest.emulator_policy,
    )


def _in_order(
    host: NumaState, guest: GuestTopology, *, packing: bool
) -> Sequence[CellState]:
    """Put emptier host cells first: by CPUs, then by memory.

    If the guest has as many cells as the host, all are taken anyway.
    """
    if len(host.cells) <= len(guest.cells):
        return host.cells
    by_memory = sorted(
        host.cells, key=lambda state: state.free_memory_mib, reverse=not packing
    )
    if guest.is_pinned:
        return sorted(
            by_memory,
            key=lambda state: state.free_dedicated.bit_count(),
            reverse=not packing,
        )
    return sorted(by_memory, key=lambda state: state.use.shared_vcpus, reverse=packing)


def _first_assignment(guests: int, hosts: int, fits: _Fits) -> list[int] | None:
    """Return a host cell for each guest cell, each used once, the earliest possible."""
    chosen: list[int] = []
    for guest in range(guests):
        for host in range(hosts):
            if host in chosen or not fits(guest, host):
                continue
            if _can_match(range(guest + 1, guests), hosts, {*chosen, host}, fits):
                chosen.append(host)
                break
        else:
            return None
    return chosen


def _can_match(guests: range, hosts: int, taken: set[int], fits: _Fits) -> bool:
    """Tell whether the guest cells fit on different hosts, by augmenting paths."""
    holder: dict[int, int] = {}

    def find_host(guest: int, seen: set[int]) -> bool:
        for host in range(hosts):
            if host in taken or host in seen or not fits(guest, host):
                continue
            seen.add(host)
            if host not in holder or find_host(holder[host], seen):
                holder[host] = guest
                return True
        return False

    return all(find_host(guest, set()) for guest in guests)
