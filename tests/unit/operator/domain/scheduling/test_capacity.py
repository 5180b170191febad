"""The columns' capacity is Placement's rule, host by host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova_api.flavor import FlavorSize
from kilonova_operator.domain.inventory import (
    DISK_GB,
    MEMORY_MB,
    VCPU,
    Inventory,
    ProviderView,
)
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.prefilters.capacity import Capacity
from kilonova_operator.domain.scheduling.request import RequestClass, build_amounts
from kilonova_operator.domain.scheduling.rows import HostRows

inventories = st.builds(
    Inventory,
    total=st.integers(0, 64),
    reserved=st.integers(0, 8),
    allocation_ratio=st.sampled_from([0.5, 1.0, 1.1, 1.5, 4.0]),
    min_unit=st.integers(1, 4),
    max_unit=st.integers(1, 80),
    step_size=st.integers(1, 4),
    unmanaged=st.integers(0, 10),
)


@given(st.lists(st.tuples(inventories, st.integers(0, 80)), max_size=8), st.data())
def test_the_columns_judge_as_the_rule_of_one_host(
    given_hosts: list[tuple[Inventory, int]], data: st.DataObject
) -> None:
    amount = data.draw(st.integers(0, 70))
    columns = HostColumns()
    for number, (inventory, used) in enumerate(given_hosts):
        columns.set_provider(
            ProviderView(f"hv{number}", "cell1", 1, {VCPU: inventory}, {VCPU: used})
        )
    mask = Capacity(VCPU).mask(HostRows(columns), RequestClass(((VCPU, amount),)))
    assert mask.tolist() == [
        amount == 0 or inventory.fits(amount, used=used)
        for inventory, used in given_hosts
    ]


@pytest.mark.parametrize(
    ("amount", "used", "fits"),
    [
        pytest.param(1, 63, True, id="up to the oversold end"),
        pytest.param(1, 64, False, id="no further"),
        pytest.param(16, 0, True, id="as big as the host"),
        pytest.param(17, 0, False, id="bigger than the host"),
    ],
)
def test_a_host_is_oversold_but_never_by_one_guest(
    amount: int, used: int, *, fits: bool
) -> None:
    inventory = Inventory(16, allocation_ratio=4.0, max_unit=16)
    assert inventory.fits(amount, used=used) is fits


def test_capacity_is_compared_as_a_real_number() -> None:
    inventory = Inventory(3, allocation_ratio=1.5)
    assert inventory.fits(4, used=0)
    assert not inventory.fits(5, used=0)


def test_a_host_without_the_class_has_no_room() -> None:
    columns = HostColumns()
    view = ProviderView("hv1", "cell1", 1, {VCPU: Inventory(4)}, {})
    columns.set_provider(view)
    asked = RequestClass(((MEMORY_MB, 1),))
    assert Capacity(MEMORY_MB).mask(HostRows(columns), asked).tolist() == [False]
    assert view.find_shortfall({MEMORY_MB: 1}) == MEMORY_MB


@pytest.mark.parametrize(
    ("flavor", "disk_gb"),
    [
        pytest.param({"root_gib": 20}, 20, id="root"),
        pytest.param(
            {"root_gib": 20, "ephemeral_gib": 5, "swap_mib": 1025},
            27,
            id="swap in whole GiB, rounded up",
        ),
        pytest.param({}, None, id="nothing is not asked for"),
    ],
)
def test_a_flavor_asks_for_root_ephemeral_and_swap_together(
    flavor: dict[str, int], disk_gb: int | None
) -> None:
    amounts = build_amounts(FlavorSize(vcpus=2, ram_mib=64, **flavor))
    assert amounts.pop(DISK_GB, None) == disk_gb
    assert amounts == {VCPU: 2, MEMORY_MB: 64}
