"""The host cells of a guest's cells."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits, fit_cell
from kilonova_operator.domain.scheduling.numa.cpu_mask import mask_of
from kilonova_operator.domain.scheduling.numa.fit import fit_guest
from kilonova_operator.domain.scheduling.numa.guest import (
    GuestCell,
    GuestTopology,
    PlacedCell,
)
from kilonova_operator.domain.scheduling.numa.topology import NumaState
from support.numa import LIMITS, floating_guest, made_cell, made_host, pinned_guest

_CORES = [[(8 * n + c, 8 * n + c + 4) for c in range(4)] for n in range(8)]


def _cells_of(
    host: NumaState, guest: GuestTopology, *, packing: bool = False
) -> list[int] | None:
    placed = fit_guest(host, guest, limits=LIMITS, packing=packing)
    return None if placed is None else [cell.host_cell for cell in placed.cells]


def _host(*used: int) -> NumaState:
    """Cells with so many pinned CPUs."""
    return made_host(
        *(
            made_cell(n, cores=_CORES[n], pinned=range(8 * n, 8 * n + count))
            for n, count in enumerate(used)
        )
    )


def test_emptier_cells_come_first_or_last_when_packing() -> None:
    host = _host(3, 0, 2)
    assert _cells_of(host, pinned_guest(2)) == [1]
    assert _cells_of(host, pinned_guest(2), packing=True) == [0]


def test_free_memory_decides_between_cells_with_as_many_free_cpus() -> None:
    host = made_host(made_cell(0, memory_used_mib=1024), made_cell(1))
    assert _cells_of(host, floating_guest(2)) == [1]
    assert _cells_of(host, floating_guest(2), packing=True) == [0]


def test_shared_cpus_in_use_decide_before_memory() -> None:
    host = made_host(made_cell(0, shared_vcpus=4), made_cell(1, memory_used_mib=1024))
    assert _cells_of(host, floating_guest(2)) == [1]
    assert _cells_of(host, floating_guest(2), packing=True) == [0]


def test_a_guest_with_as_many_cells_as_the_host_takes_them_in_order() -> None:
    assert _cells_of(_host(3, 0), pinned_guest(2, 2)) == [0, 1]
    assert _cells_of(_host(3, 0), pinned_guest(6, 2)) == [1, 0]


def test_a_host_with_fewer_cells_never_fits() -> None:
    assert _cells_of(_host(0), pinned_guest(1, 1)) is None


def test_eight_cells_that_cannot_fit_are_told_without_going_through_all_ways() -> None:
    """Trying all permutations would take 8 x 7 x ... x 2 steps and minutes."""
    assert _cells_of(_host(*[1] * 7, 8), pinned_guest(*[7] * 8)) is None


def test_a_place_names_pins_pages_and_the_emulators_cpu() -> None:
    guest = GuestTopology(
        cells=(GuestCell(512, shared=0b01, dedicated=0b10),),
        cpu_policy="mixed",
        emulator_policy="isolate",
        page_wish="large",
    )
    host = made_host(
        made_cell(shared=[0, 4], pages=[(4, 1000, 0), (2048, 256, 0)], pinned=[1, 5])
    )
    placement = fit_guest(host, guest, limits=LIMITS)
    assert placement is not None
    assert placement.cells == (
        PlacedCell(
            host_cell=0,
            memory_mib=512,
            shared=0b01,
            pins=((1, 2),),
            reserved=mask_of([6]),
            page_size_kib=2048,
        ),
    )
    assert placement.cells[0].taken == mask_of([2, 6])


def test_only_the_first_guest_cell_takes_a_cpu_for_the_emulator() -> None:
    guest = pinned_guest(2, 2, emulator_policy="isolate")
    placement = fit_guest(_host(0, 0), guest, limits=LIMITS)
    assert placement is not None
    assert [cell.reserved.bit_count() for cell in placement.cells] == [1, 0]


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        pytest.param(NumaLimits(cpu_ratio=1.0, ram_ratio=1.0), True, id="just so"),
        pytest.param(NumaLimits(cpu_ratio=0.9, ram_ratio=1.0), False, id="CPUs"),
        pytest.param(NumaLimits(cpu_ratio=1.0, ram_ratio=0.9), False, id="memory"),
    ],
)
def test_shared_cpus_and_memory_are_sold_up_to_the_ratio(
    limits: NumaLimits, *, fits: bool
) -> None:
    host = made_cell(shared_vcpus=6, memory_mib=1024, memory_used_mib=512)
    (cell,) = floating_guest(2).cells
    placed = fit_cell(host, cell, floating_guest(2), limits=limits)
    assert (placed is not None) is fits


def test_a_guest_is_never_oversold_against_itself() -> None:
    assert _cells_of(made_host(made_cell()), floating_guest(9)) is None


def test_dedicated_cpus_ignore_the_ratios() -> None:
    limits = NumaLimits(cpu_ratio=0.0, ram_ratio=0.0)
    assert fit_guest(_host(0), pinned_guest(2), limits=limits) is not None


@settings(deadline=None)
@given(
    used=st.lists(st.integers(0, 8), min_size=1, max_size=5),
    wanted=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    packing=st.booleans(),
)
def test_the_first_of_all_ways_in_order_is_found(
    used: list[int], wanted: list[int], *, packing: bool
) -> None:
    host, guest = _host(*used), pinned_guest(*wanted)
    free = [8 - count for count in used]
    order = list(range(len(used)))
    if len(used) > len(wanted):
        order.sort(key=lambda n: free[n], reverse=not packing)
    ways = (
        list(way)
        for way in permutations(order, len(wanted))
        if all(need <= free[n] for need, n in zip(wanted, way, strict=True))
    )
    assert _cells_of(host, guest, packing=packing) == next(ways, None)
