"""Weights are normalised and summed as Nova does it."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova_operator.domain.scheduling.aggregates import (
    AggregateFacts,
    AggregateSet,
)
from kilonova_operator.domain.scheduling.defaults import build_default_rules
from kilonova_operator.domain.scheduling.interfaces import (
    HostWeigher,
    RequestWeigher,
    Weigher,
)
from kilonova_operator.domain.scheduling.metrics import HostMetric
from kilonova_operator.domain.scheduling.normalize import normalize_weights
from kilonova_operator.domain.scheduling.options import WeightMultipliers
from kilonova_operator.domain.scheduling.request import BuildRequest, GroupView
from kilonova_operator.domain.scheduling.rows import HostRows
from kilonova_operator.domain.scheduling.weighers.build_failure import (
    BuildFailureWeigher,
)
from kilonova_operator.domain.scheduling.weighers.cpu import CPUWeigher
from kilonova_operator.domain.scheduling.weighers.cross_cell import CrossCellWeigher
from kilonova_operator.domain.scheduling.weighers.disk import DiskWeigher
from kilonova_operator.domain.scheduling.weighers.hypervisor_version import (
    HypervisorVersionWeigher,
)
from kilonova_operator.domain.scheduling.weighers.image_properties import (
    ImagePropertiesWeigher,
)
from kilonova_operator.domain.scheduling.weighers.io_ops import IoOpsWeigher
from kilonova_operator.domain.scheduling.weighers.metrics import MetricsWeigher
from kilonova_operator.domain.scheduling.weighers.num_instances import (
    NumInstancesWeigher,
)
from kilonova_operator.domain.scheduling.weighers.pci import PCIWeigher
from kilonova_operator.domain.scheduling.weighers.ram import RAMWeigher
from kilonova_operator.domain.scheduling.weighers.server_group import (
    ServerGroupSoftAffinityWeigher,
    ServerGroupSoftAntiAffinityWeigher,
)
from support.scheduling import (
    SMALL,
    X86,
    made_columns,
    made_facts,
    made_request,
    made_scheduler,
    made_view,
)

TURNED_OFF = AggregateSet(
    (AggregateFacts("quiet", (("metrics_weight_multiplier", "0"),)),)
)
HOSTS = made_columns(
    (
        made_facts("a", zone="z1", metrics=(HostMetric("cpu.percent", 40.0),)),
        made_view("a", used=(3, 1000, 10), claims=2),
    ),
    (
        made_facts("b", zone="z1", aggregates=TURNED_OFF),
        made_view("b", memory_mb=512, used=(0, 100, 0)),
    ),
    (made_facts("c", zone="z2"), made_view("c")),
)
HOSTS.set_number("b", "io_ops", 4)
HOSTS.set_number("c", "failed_builds", 2)
HOSTS.image_counts.set_host("a", {("os_distro", "debian"): 2, ("hw_disk_bus", "x"): 1})
HOSTS.image_counts.set_host("c", {("os_distro", "debian"): 1})
ALL = HostRows(HOSTS)


def in_group(policy: str, *, by_zone: bool = False) -> BuildRequest:
    members = {"a": 2, "gone": 7}
    return made_request(group=GroupView("g", policy, members, by_zone))  # type: ignore[arg-type]


def normalized_by_hand(weights: list[float], minval: float | None) -> list[float]:
    """Follow nova.weights.normalize, Nova 34, one number after another."""
    if not weights:
        return []
    if minval is not None:
        weights = [max(weight, minval) for weight in weights]
    low = min(weights) if minval is None else minval
    top = max(weights)
    if low == top:
        return [0.0 for _ in weights]
    return [(weight - low) / (top - low) for weight in weights]


@given(
    st.lists(st.integers(-100, 100).map(float), max_size=8),
    st.sampled_from([None, 0.0]),
)
def test_normalisation_is_novas(weights: list[float], minval: float | None) -> None:
    scaled = normalize_weights(np.array(weights), minval=minval)
    assert scaled.tolist() == normalized_by_hand(weights, minval)


@pytest.mark.parametrize(
    ("weights", "minval", "expected"),
    [
        pytest.param([5.0, 5.0], 0.0, [1.0, 1.0], id="equal above the minimum"),
        pytest.param([5.0, 5.0], None, [0.0, 0.0], id="equal without one"),
        pytest.param([-5.0, 0.0], 0.0, [0.0, 0.0], id="nothing is free"),
        pytest.param([-5.0, 10.0], 0.0, [0.0, 1.0], id="below the minimum"),
        pytest.param([2.0, 4.0, 3.0], None, [0.0, 1.0, 0.5], id="min to max"),
    ],
)
def test_a_minimum_changes_what_equal_hosts_get(
    weights: list[float], minval: float | None, expected: list[float]
) -> None:
    assert normalize_weights(np.array(weights), minval=minval).tolist() == expected


CPU_AND_MORE = (("cpu.percent", -0.5), ("net", 0.0))


@pytest.mark.parametrize(
    ("weigher", "expected"),
    [
        (RAMWeigher(), [32768 - 512 - 1000, -100, 32768 - 512]),
        (CPUWeigher(), [16 * 4.0 - 3, 64.0, 64.0]),
        (DiskWeigher(), [490 * 1024, 500 * 1024, 500 * 1024]),
        (NumInstancesWeigher(), [2, 0, 0]),
        (HypervisorVersionWeigher(), [X86.hypervisor_version] * 3),
        (IoOpsWeigher(), [0, 4, 0]),
        (BuildFailureWeigher(), [0, 0, 2]),
        (PCIWeigher(), [100, 100, 100]),
        (MetricsWeigher(), [0, 0, 0]),
        pytest.param(
            MetricsWeigher(weight_setting=CPU_AND_MORE),
            [-20.0, 0.0, -10000.0],
            id="no metric: last, unless its weight is 0",
        ),
    ],
)
def test_raw_weights_of_hosts_are_novas(
    weigher: HostWeigher, expected: list[float]
) -> None:
    assert weigher.weigh(ALL).tolist() == expected
    assert weigher.weigh(HostRows(HOSTS, np.array([2, 0]))).tolist() == [
        expected[2],
        expected[0],
    ]


DEBIAN = made_request(image_properties={"os_distro": "debian", "hw_disk_bus": "x"})


@pytest.mark.parametrize(
    ("weigher", "request_", "expected"),
    [
        pytest.param(CrossCellWeigher(), SMALL, None, id="a build is no move"),
        pytest.param(
            ServerGroupSoftAffinityWeigher(), SMALL, None, id="no group at all"
        ),
        pytest.param(
            ServerGroupSoftAffinityWeigher(),
            in_group("SoftAffinity"),
            [2, 0, 0],
            id="members by host",
        ),
        pytest.param(
            ServerGroupSoftAffinityWeigher(),
            in_group("SoftAffinity", by_zone=True),
            [2, 2, 0],
            id="members by zone",
        ),
        pytest.param(
            ServerGroupSoftAffinityWeigher(),
            in_group("SoftAntiAffinity"),
            None,
            id="another policy",
        ),
        pytest.param(
            ServerGroupSoftAntiAffinityWeigher(),
            in_group("SoftAntiAffinity"),
            [-2, 0, 0],
            id="turned round",
        ),
        pytest.param(ImagePropertiesWeigher(), DEBIAN, None, id="off by default"),
        pytest.param(
            ImagePropertiesWeigher(1.0), DEBIAN, [3, 0, 1], id="each property counts"
        ),
        pytest.param(
            ImagePropertiesWeigher(1.0, (("os_distro", 0.5),)),
            DEBIAN,
            [1.0, 0, 0.5],
            id="those of the setting count",
        ),
    ],
)
def test_raw_weights_for_requests_are_novas(
    weigher: RequestWeigher, request_: BuildRequest, expected: list[float] | None
) -> None:
    raw = weigher.weigh_for(HOSTS, request_)
    assert (raw if raw is None else raw.tolist()) == expected


def test_every_weigher_is_on_with_novas_multiplier() -> None:
    weighers: tuple[Weigher, ...] = build_default_rules().weighers
    found = {weigher.multiplier_key: weigher.multiplier for weigher in weighers}
    expected = WeightMultipliers()
    assert found == {f.name: getattr(expected, f.name) for f in fields(expected)}
    from_zero = {weigher.name for weigher in weighers if weigher.minval == 0.0}
    assert from_zero == {"CPUWeigher", "DiskWeigher", "IoOpsWeigher", "RAMWeigher"}
    turned = {weigher.name for weigher in weighers if weigher.sign == -1.0}
    assert turned == {"BuildFailureWeigher"}


@pytest.mark.parametrize(
    ("values", "first"),
    [
        pytest.param((), "b", id="the site's"),
        pytest.param(("-9",), "a", id="the aggregate's"),
        pytest.param(("3", "-9"), "a", id="the lowest"),
        pytest.param(("-9", "much"), "b", id="the site's where one is no number"),
        pytest.param(("-9", "nan"), "b", id="nan is no number"),
        pytest.param(("-inf",), "b", id="nor is what is infinite"),
    ],
)
def test_an_aggregate_changes_a_multiplier_on_its_hosts(
    values: tuple[str, ...], first: str
) -> None:
    columns = made_columns(
        (made_facts("a"), made_view("a", used=(0, 9000, 0))),
        (made_facts("b"), made_view("b")),
    )
    scheduler = made_scheduler(columns)
    assert scheduler.select(SMALL).host == "b"
    given_values = (("ram_weight_multiplier", value) for value in values)
    aggregates = AggregateSet(
        tuple(AggregateFacts(f"x{n}", (pair,)) for n, pair in enumerate(given_values))
    )
    columns.set_facts(made_facts("b", aggregates=aggregates))
    assert scheduler.select(SMALL).host == first


def test_a_failed_build_outweighs_everything() -> None:
    columns = made_columns(
        (made_facts("a"), made_view("a")),
        (made_facts("b"), made_view("b", used=(16, 30000, 400), claims=9)),
    )
    columns.set_number("a", "failed_builds", 1)
    assert made_scheduler(columns).select(SMALL).host == "b"


def test_a_host_that_is_gone_leaves_no_image_counts() -> None:
    columns = made_columns((made_facts("a"), made_view("a")))
    columns.image_counts.set_host("a", {("os_distro", "debian"): 2})
    columns.remove("a")
    assert columns.image_counts.list_hosts(("os_distro", "debian")) == {}


def test_one_surviving_host_is_chosen_whatever_it_weighs() -> None:
    columns = made_columns((made_facts("a"), made_view("a")))
    columns.set_number("a", "failed_builds", 99)
    assert made_scheduler(columns).select(SMALL).host == "a"
