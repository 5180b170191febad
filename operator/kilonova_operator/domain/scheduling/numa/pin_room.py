"""Whether a guest cell's CPUs can be pinned, without choosing them.

Scheduling asks this of every host, so it reads counts that are kept with the
cell's use instead of its cores. It says yes exactly where ``find_pins`` finds
pins.
"""

from kilonova_operator.domain.scheduling.numa.guest import ThreadPolicy
from kilonova_operator.domain.scheduling.numa.topology import CellState


def has_pins(
    host: CellState, vcpus: int, *, thread_policy: ThreadPolicy | None, reserve: bool
) -> bool:
    """Tell whether so many CPUs can be pinned, and one more for the emulator."""
    if not vcpus:
        return _has_pins_for_nothing(host, thread_policy, reserve=reserve)
    if thread_policy == "isolate":
        return _has_whole_cores(host, vcpus + reserve)
    if sum(host.free_cores) < vcpus + reserve:
        return False
    if thread_policy != "require":
        return True
    return any(
        threads * cores >= vcpus
        for threads, cores in enumerate(host.free_cores[1:], start=2)
    )


def _has_whole_cores(host: CellState, cores: int) -> bool:
    threads = host.cell.threads_per_core
    if threads > 1 and host.cell.dedicated != host.cell.shared:
        return False
    whole = host.free_cores[threads - 1] if len(host.free_cores) >= threads else 0
    return whole >= cores


def _has_pins_for_nothing(
    host: CellState, thread_policy: ThreadPolicy | None, *, reserve: bool
) -> bool:
    """Judge a node of a mixed guest that has shared CPUs only, as Nova does."""
    if reserve or thread_policy == "isolate":
        return False
    return thread_policy != "require" or len(host.free_cores) > 1
