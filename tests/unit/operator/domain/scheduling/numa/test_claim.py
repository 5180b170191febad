"""The place of a claim beside all others of its host, and how it is kept."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova_operator.domain.scheduling.numa.guest import (
    GuestTopology,
    NumaPlacement,
)
from kilonova_operator.domain.scheduling.numa.records import build_record, read_record
from kilonova_operator.domain.scheduling.numa.recount import count_guest, recount_host
from kilonova_operator.domain.scheduling.numa.shared_cpus import find_shared_cpus
from kilonova_operator.domain.scheduling.numa.topology import build_empty_state
from support.numa import (
    cpus_taken,
    floating_guest,
    made_numa_claim,
    made_topology,
    pinned_guest,
)

GUESTS = (
    pinned_guest(2),
    pinned_guest(3, 2),
    pinned_guest(2, thread_policy="isolate"),
    pinned_guest(4, thread_policy="require"),
    pinned_guest(1, emulator_policy="isolate"),
    floating_guest(2, 2, page_wish="small"),
)


def test_a_host_without_cells_has_no_place() -> None:
    claim = replace(made_numa_claim(pinned_guest(1)), host=None)
    assert claim.find_place({}) is None


def test_a_guest_that_needs_threads_finds_none_on_a_host_without() -> None:
    guest = replace(pinned_guest(1), needs_threads=True)
    assert made_numa_claim(guest).find_place({}) is not None
    plain = made_topology()
    alone = tuple(
        replace(cell, cores=tuple(1 << n for n in range(8 * i, 8 * i + 8)))
        for i, cell in enumerate(plain.cells)
    )
    assert made_numa_claim(guest, replace(plain, cells=alone)).find_place({}) is None


@given(
    guests=st.lists(st.sampled_from(GUESTS), max_size=12),
    shared=st.sampled_from([None, 0, 2]),
)
def test_whoever_comes_no_cpu_is_given_twice_and_adding_is_counting(
    guests: list[GuestTopology], shared: int | None
) -> None:
    held: dict[str, NumaPlacement] = {}
    host = made_topology(shared=shared)
    state = build_empty_state(host)
    for number, guest in enumerate(guests):
        place = made_numa_claim(guest, host).find_place(held)
        if place is None:
            continue
        held[f"guest-{number}"] = place
        state = count_guest(state, place)
        assert state == recount_host(host, held).state
    taken = cpus_taken(held.values())
    assert len(taken) == len(set(taken))
    assert list(find_shared_cpus(held)) == []
    assert recount_host(host, held).conflicts == {}


@pytest.mark.parametrize("guest", GUESTS)
def test_a_kept_place_is_the_place(guest: GuestTopology) -> None:
    place = made_numa_claim(guest, made_topology(shared=None)).find_place({})
    assert place is not None
    assert read_record(json.loads(json.dumps(build_record(place)))) == place


def test_cpus_that_two_guests_hold_are_named_with_both() -> None:
    first = made_numa_claim(pinned_guest(3)).find_place({})
    second = made_numa_claim(pinned_guest(2)).find_place({})
    assert first is not None
    assert second is not None
    guests = {"b": second, "a": first, "c": NumaPlacement(())}
    assert list(find_shared_cpus(guests)) == [("a", "b", "0-1")]
