"""A host's cells counted anew, whatever became of the host."""

from itertools import permutations

from kilonova_operator.domain.scheduling.numa.cpu_mask import mask_of
from kilonova_operator.domain.scheduling.numa.fit import fit_guest
from kilonova_operator.domain.scheduling.numa.guest import (
    GuestTopology,
    NumaPlacement,
    PlacedCell,
)
from kilonova_operator.domain.scheduling.numa.recount import recount_host
from kilonova_operator.domain.scheduling.numa.topology import NumaState
from kilonova_operator.domain.scheduling.numa.usage import add_guest
from support.numa import LIMITS, floating_guest, made_cell, made_host, pinned_guest

_HOST = made_host(made_cell(0), made_cell(1, cores=((8, 12), (9, 13))))


def _place(host: NumaState, guest: GuestTopology) -> tuple[NumaState, NumaPlacement]:
    placement = fit_guest(host, guest, limits=LIMITS)
    assert placement is not None
    return add_guest(host, placement), placement


def _dedicated(*pairs: tuple[int, int], cell: int = 0) -> NumaPlacement:
    return NumaPlacement((PlacedCell(cell, 512, pins=pairs),), "dedicated")


def test_counting_anew_comes_to_the_same_as_guest_by_guest() -> None:
    host, guests = _HOST, {}
    for name, guest in (
        ("a", pinned_guest(2, thread_policy="isolate", emulator_policy="isolate")),
        ("b", floating_guest(2, 2)),
        ("c", pinned_guest(2)),
    ):
        host, guests[name] = _place(host, guest)
    for order in permutations(guests):
        recount = recount_host(_HOST.topology, {name: guests[name] for name in order})
        assert recount.state == host
        assert not recount.conflicts


def test_a_cpu_of_two_guests_is_told_and_kept_from_a_third() -> None:
    guests = {"a": _dedicated((0, 0), (1, 4)), "b": _dedicated((0, 4), (1, 5))}
    recount = recount_host(_HOST.topology, guests)
    assert recount.conflicts == {
        "b": "CPU 4 of NUMA cell 0 belongs to another guest, too"
    }
    use = recount.state.cells[0].use
    assert (use.pinned, use.memory_mib) == (mask_of([0, 4, 5]), 1024)


def test_guests_on_cpus_that_are_no_more_dedicated_count_by_what_is_left() -> None:
    now = made_host(made_cell(0, shared=[0, 4])).topology
    recount = recount_host(now, {"a": _dedicated((0, 4), (1, 5))})
    assert recount.conflicts == {"a": "CPU 4 of NUMA cell 0 is not dedicated"}
    assert recount.state.cells[0].use.pinned == mask_of([5])


def test_a_guest_on_a_cell_that_is_gone_is_told() -> None:
    recount = recount_host(_HOST.topology, {"a": _dedicated((0, 20), cell=3)})
    assert recount.conflicts == {"a": "the host has no NUMA cell 3"}
    assert recount.state == _HOST
