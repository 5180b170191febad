"""Hosts take of what their aggregates share, where they lack it themselves."""

import pytest

from kilonova_operator.domain.inventory import DISK_GB, VCPU, Inventory, ProviderView
from kilonova_operator.domain.providers import SHARING_TRAIT, Provider
from kilonova_operator.domain.scheduling.aggregates import (
    AggregateFacts,
    build_aggregate_set,
)
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.prefilters.capacity import (
    Capacity,
    OtherCapacity,
    divide_amounts,
)
from kilonova_operator.domain.scheduling.request import RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows
from kilonova_operator.domain.scheduling.shared_rooms import build_shared_rooms
from support.scheduling import made_facts

LICENCE = "CUSTOM_LICENCE"
NFS = Provider(
    "aggregate:nfs",
    "u1",
    1,
    "aggregate:nfs",
    inventories={DISK_GB: Inventory(total=100), LICENCE: Inventory(total=2)},
    used={DISK_GB: 20},
    traits=frozenset({SHARING_TRAIT}),
    aggregates=frozenset({"nfs"}),
)


@pytest.fixture
def columns() -> HostColumns:
    """hv1 shares and has 50 GiB of its own, hv2 has the same and does not share."""
    made = HostColumns()
    shares = build_aggregate_set((AggregateFacts("nfs"),))
    made.set_facts(made_facts("hv1", aggregates=shares))
    made.set_facts(made_facts("hv2"))
    for host in ("hv1", "hv2"):
        inventories = {VCPU: Inventory(total=4), DISK_GB: Inventory(total=50)}
        made.set_provider(ProviderView(host, "cell1", 1, inventories))
    made.set_shared(build_shared_rooms((NFS,)))
    return made


def judge(columns: HostColumns, resource_class: str, amount: int) -> list[bool]:
    rule = Capacity(DISK_GB) if resource_class == DISK_GB else OtherCapacity()
    asked = RequestClass(((resource_class, amount),))
    return [bool(passes) for passes in rule.mask(HostRows(columns), asked)]


@pytest.mark.parametrize(
    ("resource_class", "amount", "passes"),
    [
        pytest.param(DISK_GB, 50, [True, True], id="fits on each host"),
        pytest.param(DISK_GB, 80, [True, False], id="fits where it is shared alone"),
        pytest.param(DISK_GB, 81, [False, False], id="20 of it are in use"),
        pytest.param(LICENCE, 2, [True, False], id="no host has it itself"),
        pytest.param(LICENCE, 3, [False, False], id="more than there is"),
        pytest.param("CUSTOM_FPGA", 1, [False, False], id="nobody has it"),
    ],
)
def test_a_host_passes_by_its_own_or_by_what_it_shares(
    columns: HostColumns, resource_class: str, amount: int, passes: list[bool]
) -> None:
    assert judge(columns, resource_class, amount) == passes


def test_what_fits_on_the_host_is_taken_there(columns: HostColumns) -> None:
    asked = {VCPU: 1, DISK_GB: 50}
    assert divide_amounts(columns, "hv1", asked) == (asked, {})


def test_what_does_not_is_taken_of_what_is_shared(columns: HostColumns) -> None:
    asked = {VCPU: 1, DISK_GB: 60, LICENCE: 1}
    assert divide_amounts(columns, "hv1", asked) == (
        {VCPU: 1},
        {"aggregate:nfs": {DISK_GB: 60, LICENCE: 1}},
    )
    assert divide_amounts(columns, "hv2", asked) == (asked, {})


def test_a_claim_leaves_less_for_the_next(columns: HostColumns) -> None:
    columns.set_shared(room.take({LICENCE: 2}) for room in columns.shared)
    assert judge(columns, LICENCE, 1) == [False, False]


def test_a_provider_without_the_trait_shares_nothing() -> None:
    assert build_shared_rooms((Provider("nfs", "u", 1, "nfs"),)) == ()
