"""The nearest miss: what would have to be free for one host to fit."""

import pytest

from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU, Inventory
from kilonova_operator.domain.providers import SHARING_TRAIT, Provider
from kilonova_operator.domain.scheduling.aggregates import (
    AggregateFacts,
    build_aggregate_set,
)
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.numa.cpu_mask import first_cpus
from kilonova_operator.domain.scheduling.numa.guest import GuestCell, GuestTopology
from kilonova_operator.domain.scheduling.numa.topology import NumaState
from kilonova_operator.domain.scheduling.request import GroupView
from kilonova_operator.domain.scheduling.shared_rooms import build_shared_rooms
from support.numa import made_cell, pinned_guest
from support.scheduling import made_columns, made_facts, made_request, made_scheduler
from support.scheduling import made_view as view

ASKED = {VCPU: 4, MEMORY_MB: 4096, DISK_GB: 40}


@pytest.mark.parametrize(
    ("used", "said"),
    [
        pytest.param((0, 28672, 0), "512 MiB of memory", id="memory"),
        pytest.param((62, 0, 0), "2 virtual CPUs", id="cores"),
        pytest.param(
            (62, 28672, 470),
            "2 virtual CPUs, 512 MiB of memory and 10 GiB of disk",
            id="everything",
        ),
    ],
)
def test_the_host_that_lacks_least_is_told_of_without_its_name(
    used: tuple[int, int, int], said: str
) -> None:
    columns = made_columns(
        (made_facts("hv0"), view("hv0", used=(64, 32000, 500))),
        (made_facts("hv1"), view("hv1", used=used)),
    )
    decision = made_scheduler(columns).select(made_request(ASKED))
    assert decision.host is None
    assert decision.build_record().nearest_miss == f"One host lacks {said}."


def test_a_host_that_fails_otherwise_is_no_miss() -> None:
    columns = made_columns((made_facts("hv0", up=False), view("hv0")))
    assert made_scheduler(columns).select(made_request(ASKED)).nearest_miss is None


FULL = (0, 32000, 0)


@pytest.mark.parametrize(
    ("facts", "wishes"),
    [
        pytest.param({"up": False}, {}, id="down"),
        pytest.param(
            {}, {"image_properties": {"hw_architecture": "aarch64"}}, id="arch"
        ),
        pytest.param(
            {},
            {"group": GroupView("g", "AntiAffinity", {"hv0": 1, "hv1": 1})},
            id="group",
        ),
    ],
)
def test_a_host_that_lacks_more_than_room_is_no_miss(
    facts: dict[str, object], wishes: dict[str, object]
) -> None:
    columns = made_columns((made_facts("hv0", **facts), view("hv0", used=FULL)))
    request = made_request(ASKED, **wishes)
    decision = made_scheduler(columns).select(request)
    assert [rejected.constraint for rejected in decision.rejections] == [
        "Capacity:MEMORY_MB"
    ], "capacity is what it fails first"
    assert decision.nearest_miss is None


def test_only_a_host_that_passes_all_but_room_is_told_of() -> None:
    columns = made_columns(
        (made_facts("hv0", up=False), view("hv0", used=(0, 28200, 0))),
        (made_facts("hv1"), view("hv1", used=FULL)),
        (made_facts("hv2"), view("hv2", used=(0, 28200, 0))),
    )
    elsewhere = GroupView("g", "AntiAffinity", {"hv2": 1})
    decision = made_scheduler(columns).select(made_request(ASKED, group=elsewhere))
    assert decision.nearest_miss == "One host lacks 3840 MiB of memory."


def test_a_filter_that_a_forced_host_skips_bars_no_miss() -> None:
    columns = made_columns((made_facts("hv0", up=False), view("hv0", used=FULL)))
    request = made_request(ASKED, forced_host="hv0")
    missed = made_scheduler(columns).select(request).nearest_miss
    assert missed == "One host lacks 3840 MiB of memory."


def test_a_host_that_more_room_would_not_help_is_no_miss() -> None:
    columns = made_columns(
        (made_facts("hv0"), view("hv0", vcpus=2, used=(0, 28200, 0))),
        (made_facts("hv1"), view("hv1", used=FULL)),
    )
    missed = made_scheduler(columns).select(made_request(ASKED)).nearest_miss
    assert missed == "One host lacks 3840 MiB of memory."


def test_a_host_that_is_smaller_than_the_guest_lacks_the_rest() -> None:
    columns = made_columns((made_facts("hv0"), view("hv0", memory_mb=4500)))
    missed = made_scheduler(columns).select(made_request(ASKED)).nearest_miss
    assert missed == "One host lacks 108 MiB of memory."


def test_what_its_aggregates_share_is_no_lack() -> None:
    nfs = Provider(
        "aggregate:nfs",
        "u1",
        1,
        "aggregate:nfs",
        inventories={DISK_GB: Inventory(total=100)},
        traits=frozenset({SHARING_TRAIT}),
        aggregates=frozenset({"nfs"}),
    )
    shares = build_aggregate_set((AggregateFacts("nfs"),))
    facts = made_facts("hv0", aggregates=shares)
    columns = made_columns((facts, view("hv0", disk_gb=0, used=FULL)))
    columns.set_shared(build_shared_rooms((nfs,)))
    missed = made_scheduler(columns).select(made_request(ASKED)).nearest_miss
    assert missed == "One host lacks 3840 MiB of memory."


def test_a_guest_that_no_host_may_hold_is_told_what_the_largest_gives() -> None:
    columns = made_columns(
        (made_facts("hv0"), view("hv0", vcpus=8)), (made_facts("hv1"), view("hv1"))
    )
    missed = made_scheduler(columns).select(made_request({VCPU: 17})).nearest_miss
    assert (
        missed == "No host that passes all else gives one guest over 16 virtual CPUs."
    )


def test_a_class_that_no_host_has_is_told() -> None:
    columns = made_columns(
        (made_facts("hv0"), view("hv0")), (made_facts("hv1", up=False), view("hv1"))
    )
    wanted = made_request({"PCPU": 2, "CUSTOM_FPGA": 1})
    missed = made_scheduler(columns).select(wanted).nearest_miss
    assert missed == "No host that passes all else has any dedicated CPUs."


def with_cells(*states: NumaState | None, used: tuple[int, int, int]) -> HostColumns:
    hosts = [f"hv{number}" for number in range(len(states))]
    columns = made_columns(*((made_facts(h), view(h, used=used)) for h in hosts))
    for host, state in zip(hosts, states, strict=True):
        columns.set_numa(host, state)
    return columns


TIGHT = made_cell(memory_used_mib=3072, pinned=(0, 4, 1, 5, 2, 6))
"""1 GiB and two CPUs are free."""
TIGHTER = made_cell(memory_used_mib=4096, pinned=(0, 4, 1, 5, 2, 6, 3))


@pytest.mark.parametrize(
    ("guest", "used", "said"),
    [
        pytest.param(
            pinned_guest(3), (0, 0, 0), "1 dedicated CPU in its NUMA cells", id="pins"
        ),
        pytest.param(
            GuestTopology((GuestCell(1536, dedicated=first_cpus(4)),), "dedicated"),
            (0, 0, 0),
            "512 MiB of memory and 2 dedicated CPUs in its NUMA cells",
            id="both",
        ),
        pytest.param(
            pinned_guest(3),
            (0, 31744, 0),
            "256 MiB of memory and 1 dedicated CPU in its NUMA cells",
            id="and beside its cells",
        ),
    ],
)
def test_what_the_nearest_hosts_cells_lack_is_told(
    guest: GuestTopology, used: tuple[int, int, int], said: str
) -> None:
    states = [NumaState((cell,)) for cell in (TIGHTER, TIGHT)]
    columns = with_cells(None, *states, used=used)
    request = made_request({MEMORY_MB: 768}, numa=guest)
    missed = made_scheduler(columns).select(request).nearest_miss
    assert missed == f"One host lacks {said}."


def test_pages_that_a_cell_lacks_are_told_by_their_size() -> None:
    state = NumaState((made_cell(pages=[(4, 1048576, 0), (2048, 512, 300)]),))
    request = made_request(numa=pinned_guest(1, memory_mib=512, page_wish=2048))
    missed = made_scheduler(with_cells(state, used=(0, 0, 0))).select(request)
    assert missed.nearest_miss == (
        "One host lacks 88 MiB of memory in pages of 2 MiB in its NUMA cells."
    )


@pytest.mark.parametrize("state", [None, NumaState((TIGHT,))])
def test_hosts_with_too_few_cells_are_told_together(state: NumaState | None) -> None:
    columns = with_cells(state, state, used=(0, 0, 0))
    decision = made_scheduler(columns).select(made_request(numa=pinned_guest(1, 1)))
    assert decision.nearest_miss == "No host that passes all else has 2 NUMA cells."


def test_a_server_that_found_a_host_missed_nothing() -> None:
    columns = made_columns((made_facts("hv0"), view("hv0")))
    assert made_scheduler(columns).select(made_request(ASKED)).nearest_miss is None
