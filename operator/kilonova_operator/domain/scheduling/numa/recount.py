"""A host's NUMA cells counted anew from all guests that are placed there.

A host may have changed under its guests: a cell is gone, or an admin set other CPUs
apart. Such guests run on, so they are counted as far as they can be, and told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kilonova_operator.domain.scheduling.numa.cpu_mask import CpuMask
from kilonova_operator.domain.scheduling.numa.cpu_spec import format_cpu_spec
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement, PlacedCell
from kilonova_operator.domain.scheduling.numa.topology import (
    CellState,
    HostTopology,
    NumaState,
    build_empty_state,
)
from kilonova_operator.domain.scheduling.numa.usage import find_taken, take_room


@dataclass(frozen=True, slots=True)
class Recount:
    """A host's state, and what is wrong with guests on it, by their names."""

    state: NumaState
    conflicts: Mapping[str, str]


def recount_host(
    topology: HostTopology, guests: Mapping[str, NumaPlacement]
) -> Recount:
    """Count all guests; the state does not hang on their order.

    Of CPUs that two guests were given, or that guests are not pinned to any more,
    no guest gets more: they count as taken where they are dedicated.
    """
    empty = build_empty_state(topology)
    if not guests:
        return Recount(empty, {})
    cells = {state.cell.number: state for state in empty.cells}
    conflicts: dict[str, str] = {}
    for name, placement in sorted(guests.items()):
        problems = [
            problem
            for placed in placement.cells
            for problem in _count(cells, placement, placed)
        ]
        if problems:
            conflicts[name] = "; ".join(problems)
    return Recount(NumaState(tuple(cells.values())), conflicts)


def count_guest(state: NumaState, placement: NumaPlacement) -> NumaState:
    """Return a counted host with a guest more, as counting anew would give it."""
    cells = {cell.cell.number: cell for cell in state.cells}
    for placed in placement.cells:
        for _ in _count(cells, placement, placed):
            pass
    return NumaState(tuple(cells.values()))


def _count(
    cells: dict[int, CellState], placement: NumaPlacement, placed: PlacedCell
) -> Iterable[str]:
    number = placed.host_cell
    state = cells.get(number)
    if state is None:
        yield f"the host has no NUMA cell {number}"
        return
    taken = find_taken(state, placement, placed)
    yield from _problems(state, taken)
    pinned = state.use.pinned | (taken & state.cell.dedicated)
    cells[number] = take_room(state, placed, pinned=pinned, sign=1)


def _problems(state: CellState, taken: CpuMask) -> Iterable[str]:
    number = state.cell.number
    for cpus, what in (
        (taken & ~state.cell.dedicated, "is not dedicated"),
        (taken & state.use.pinned, "belongs to another guest, too"),
    ):
        if cpus:
            yield f"CPU {format_cpu_spec(cpus)} of NUMA cell {number} {what}"
