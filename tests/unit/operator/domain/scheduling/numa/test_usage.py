"""What placed guests take of a host's cells, and give back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_operator.domain.scheduling.numa.cpu_mask import mask_of
from kilonova_operator.domain.scheduling.numa.fit import fit_guest, guest_fits
from kilonova_operator.domain.scheduling.numa.guest import (
    GuestTopology,
    NumaPlacement,
    PlacedCell,
)
from kilonova_operator.domain.scheduling.numa.topology import (
    CellUse,
    NumaState,
    build_empty_state,
)
from kilonova_operator.domain.scheduling.numa.usage import (
    CpuPinningInvalid,
    add_guest,
    remove_guest,
)
from support.numa import LIMITS, floating_guest, made_cell, made_host, pinned_guest

_PAGES = [(4, 262144, 0), (2048, 1024, 0)]
_HOST = made_host(
    made_cell(0, pages=_PAGES),
    made_cell(1, cores=((8, 12), (9, 13), (10, 14)), pages=_PAGES),
)


def _placed(host: NumaState, guest: GuestTopology) -> NumaPlacement:
    placement = fit_guest(host, guest, limits=LIMITS)
    assert placement is not None
    return placement


def test_a_guest_takes_cpus_memory_and_pages_of_its_own_cells() -> None:
    guest = pinned_guest(2, memory_mib=512, page_wish=2048)
    used = add_guest(_HOST, _placed(_HOST, guest))
    assert used.cells[0].use == CellUse(
        memory_mib=512, pinned=mask_of([0, 4]), pages=(0, 256)
    )
    assert used.cells[1] == _HOST.cells[1]


def test_shared_cpus_are_counted_and_not_pinned() -> None:
    used = add_guest(_HOST, _placed(_HOST, floating_guest(3, memory_mib=4)))
    assert used.cells[0].use == CellUse(shared_vcpus=3, memory_mib=4, pages=(1024, 0))


def test_isolated_guests_take_the_siblings_of_their_cpus() -> None:
    guest = pinned_guest(1, thread_policy="isolate", emulator_policy="isolate")
    used = add_guest(_HOST, _placed(_HOST, guest))
    assert used.cells[0].use.pinned == mask_of([0, 4, 1, 5])


def test_pinning_to_another_guests_cpu_is_refused_by_its_number() -> None:
    placement = _placed(_HOST, pinned_guest(2))
    used = add_guest(_HOST, placement)
    with pytest.raises(CpuPinningInvalid, match="CPU 0,4 of NUMA cell 0 belongs to"):
        add_guest(used, placement)


def test_pinning_to_a_shared_cpu_is_refused() -> None:
    host = made_host(made_cell(shared=[0, 4]))
    placement = NumaPlacement((PlacedCell(0, 512, pins=((0, 4),)),), "dedicated")
    with pytest.raises(CpuPinningInvalid, match="CPU 4 of NUMA cell 0 is none that"):
        add_guest(host, placement)


def test_a_guest_that_is_not_there_gives_nothing_back() -> None:
    with pytest.raises(CpuPinningInvalid, match="is pinned to no guest"):
        remove_guest(_HOST, _placed(_HOST, pinned_guest(2)))
    floating = _placed(_HOST, floating_guest(2))
    assert remove_guest(_HOST, floating) == _HOST


def test_cells_the_host_does_not_have_are_passed_over() -> None:
    elsewhere = NumaPlacement((PlacedCell(7, 512),))
    assert add_guest(_HOST, elsewhere) == _HOST


def test_hosts_in_the_same_state_are_the_same_to_a_dictionary() -> None:
    other = build_empty_state(_HOST.topology)
    assert {_HOST: "judged"}[other] == "judged"
    assert add_guest(_HOST, _placed(_HOST, pinned_guest(1))) != other


_GUESTS = st.one_of(
    st.builds(
        pinned_guest,
        st.integers(1, 4),
        memory_mib=st.sampled_from([4, 64, 512]),
        thread_policy=st.sampled_from([None, "prefer", "isolate", "require"]),
        emulator_policy=st.sampled_from([None, "share", "isolate"]),
        page_wish=st.sampled_from([None, "small", "large", "any"]),
    ),
    st.builds(
        floating_guest,
        st.integers(1, 4),
        st.integers(1, 4),
        memory_mib=st.sampled_from([4, 64]),
    ),
)


@settings(deadline=None)
@given(st.lists(st.tuples(_GUESTS, st.booleans()), max_size=25))
def test_guests_that_fit_can_always_be_booked_and_leave_no_trace(
    steps: list[tuple[GuestTopology, bool]],
) -> None:
    """Guests come, and now and then the eldest leaves; at the end all do."""
    host, guests = _HOST, list[NumaPlacement]()
    for guest, one_leaves in steps:
        if one_leaves and guests:
            host = remove_guest(host, guests.pop(0))
        placement = fit_guest(host, guest, limits=LIMITS)
        assert guest_fits(host, guest, limits=LIMITS) is (placement is not None)
        if placement is not None:
            host = add_guest(host, placement)
            guests.append(placement)
        taken = [cell.taken for placed in guests for cell in placed.cells]
        assert sum(t.bit_count() for t in taken) == _count(taken)
    for placement in guests:
        host = remove_guest(host, placement)
    assert host == _HOST


def _count(masks: list[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union.bit_count()
