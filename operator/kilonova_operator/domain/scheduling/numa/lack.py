"""What the NUMA cells of a host lack for a guest that has no place there."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits
from kilonova_operator.domain.scheduling.numa.guest import GuestCell, GuestTopology
from kilonova_operator.domain.scheduling.numa.pages import find_memory_lack
from kilonova_operator.domain.scheduling.numa.pin_room import has_pins
from kilonova_operator.domain.scheduling.numa.topology import CellState, NumaState


@dataclass(frozen=True, slots=True, order=True)
class CellLack:
    """What would have to be free beside what is; ordered by what is harder to get."""

    dedicated_cpus: int = 0
    shared_cpus: int = 0
    memory_mib: int = 0


def find_lack(
    host: NumaState | None, guest: GuestTopology, limits: NumaLimits
) -> CellLack | None:
    """Return what would let the guest in; all 0 where it fits.

    None: free room would not help. A guest with unlike cells may need less than what
    is told: each takes the cell that lacks least, in the order of the guest.
    """
    if host is None or (guest.needs_threads and not host.has_threads):
        return None
    left, lacks = list(host.cells), []
    for number, cell in enumerate(guest.cells):
        reserve = guest.reserves(number)
        told = (
            _find_of(state, cell, guest, limits=limits, reserve=reserve)
            for state in left
        )
        found = [(lack, at) for at, lack in enumerate(told) if lack is not None]
        if not found:
            return None
        lack, at = min(found)
        lacks.append(lack)
        del left[at]
    return _sum(lacks)


def _find_of(
    host: CellState,
    cell: GuestCell,
    guest: GuestTopology,
    *,
    limits: NumaLimits,
    reserve: bool,
) -> CellLack | None:
    dedicated = _find_dedicated(host, cell, guest, reserve=reserve)
    memory = find_memory_lack(
        host, cell.memory_mib, wish=guest.page_wish, oversold=not guest.is_pinned
    )
    if dedicated is None or memory is None:
        return None
    if guest.cpu_policy == "dedicated":
        return CellLack(dedicated, 0, memory)
    vcpus, cpus = cell.shared.bit_count(), host.cell.shared.bit_count()
    beside = ceil(host.use.shared_vcpus + vcpus - cpus * limits.cpu_ratio)
    oversold_mib = host.use.memory_mib + cell.memory_mib
    over = ceil(oversold_mib - host.cell.memory_mib * limits.ram_ratio)
    return CellLack(dedicated, max(0, vcpus - cpus, beside), max(0, memory, over))


def _find_dedicated(
    host: CellState, cell: GuestCell, guest: GuestTopology, *, reserve: bool
) -> int | None:
    """Return how many dedicated CPUs are missing; None: more would not be enough."""
    wanted = cell.dedicated.bit_count()
    if not guest.is_pinned or has_pins(
        host, wanted, thread_policy=guest.thread_policy, reserve=reserve
    ):
        return 0
    if guest.thread_policy in ("isolate", "require"):
        return None  # which CPUs are free matters as well as how many
    return max(0, wanted + reserve - sum(host.free_cores)) or None


def _sum(lacks: Iterable[CellLack]) -> CellLack:
    lacks = tuple(lacks)
    return CellLack(
        sum(lack.dedicated_cpus for lack in lacks),
        sum(lack.shared_cpus for lack in lacks),
        sum(lack.memory_mib for lack in lacks),
    )
