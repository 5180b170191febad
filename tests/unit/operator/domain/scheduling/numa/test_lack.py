"""What cells lack: nothing exactly where the guest fits."""

from itertools import product

import pytest

from kilonova_operator.domain.scheduling.numa.fit import guest_fits
from kilonova_operator.domain.scheduling.numa.guest import GuestTopology
from kilonova_operator.domain.scheduling.numa.lack import CellLack, find_lack
from kilonova_operator.domain.scheduling.numa.topology import CellState, NumaState
from support.numa import LIMITS, floating_guest, made_cell, pinned_guest

PAGES = ((4, 1048576, 900000), (2048, 1024, 800))
CELLS = (
    made_cell(),
    made_cell(1, shared=(0, 4), pinned=(1, 5, 2)),
    made_cell(1, shared_vcpus=31, memory_used_mib=3800),
    made_cell(1, pages=PAGES, memory_used_mib=2000),
)
GUESTS = (
    pinned_guest(2),
    pinned_guest(3, 1),
    pinned_guest(4, 4, memory_mib=3000),
    pinned_guest(2, thread_policy="isolate"),
    pinned_guest(2, 2, thread_policy="require"),
    pinned_guest(7, emulator_policy="isolate"),
    pinned_guest(1, page_wish=2048),
    pinned_guest(1, memory_mib=511, page_wish="large"),
    floating_guest(4),
    floating_guest(2, 3, memory_mib=2000),
    floating_guest(9),
    floating_guest(1, needs_threads=True),
    floating_guest(1, page_wish="any"),
)


@pytest.mark.parametrize("guest", GUESTS)
@pytest.mark.parametrize("cells", [*product(CELLS), *product(CELLS, CELLS)])
def test_nothing_is_lacking_exactly_where_the_guest_fits(
    cells: tuple[CellState, ...], guest: GuestTopology
) -> None:
    host = NumaState(cells)
    fits = guest_fits(host, guest, limits=LIMITS)
    lack = find_lack(host, guest, LIMITS)
    if guest.cells_alike:
        assert (lack == CellLack()) is fits
    else:  # told in the order of the guest's cells, it may be more than is needed
        assert fits or lack != CellLack()


@pytest.mark.parametrize(
    ("guest", "lack"),
    [
        (pinned_guest(10), CellLack(dedicated_cpus=2)),
        (pinned_guest(8, emulator_policy="isolate"), CellLack(dedicated_cpus=1)),
        (pinned_guest(1, memory_mib=5000), CellLack(memory_mib=904)),
        (floating_guest(9, 8), CellLack(shared_cpus=1)),
        (floating_guest(1, memory_mib=4097), CellLack(memory_mib=1)),
        (pinned_guest(9, thread_policy="isolate"), None),
        (pinned_guest(1, page_wish=2048), None),
        (pinned_guest(1, 1, 1), None),
    ],
)
def test_what_would_let_the_guest_in_is_told(
    guest: GuestTopology, lack: CellLack | None
) -> None:
    host = NumaState((made_cell(), made_cell(1)))
    assert find_lack(host, guest, LIMITS) == lack
