"""Filters by what a host's aggregates say, by the rules of Nova 34."""

import pytest

from kilonova_operator.domain.scheduling.filters.aggregate_extra_specs import (
    AggregateInstanceExtraSpecsFilter,
)
from kilonova_operator.domain.scheduling.filters.aggregate_flavors import (
    AggregateTypeAffinityFilter,
)
from kilonova_operator.domain.scheduling.filters.aggregate_image_properties import (
    AggregateImagePropertiesIsolation,
)
from kilonova_operator.domain.scheduling.filters.aggregate_tenants import (
    AggregateMultiTenancyIsolation,
)
from kilonova_operator.domain.scheduling.filters.io_ops import (
    AggregateIoOpsFilter,
    IoOpsFilter,
)
from kilonova_operator.domain.scheduling.filters.num_instances import (
    AggregateNumInstancesFilter,
    NumInstancesFilter,
)
from kilonova_operator.domain.scheduling.interfaces import ClassRule
from support.judging import made_aggregates, passing
from support.scheduling import SMALL, made_columns, made_facts, made_request, made_view


def hosts_pass(
    rule: ClassRule, *metadata: dict[str, str], claims: int = 0, **asked: object
) -> bool:
    """Tell whether a host in aggregates of such metadata passes."""
    facts = made_facts("hv", aggregates=made_aggregates(*metadata))
    columns = made_columns((facts, made_view("hv", claims=claims)))
    columns.set_number("hv", "io_ops", claims)
    return passing(rule, columns, made_request(**asked)) == ["hv"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metadata", "passes"),
    [
        pytest.param([], True, id="no aggregate"),
        pytest.param([{"other": "x"}], True, id="no such key"),
        pytest.param([{"instance_type": "big"}], False, id="another flavor"),
        pytest.param([{"instance_type": "big, small"}], True, id="one of several"),
        pytest.param(
            [{"instance_type": "big"}, {"instance_type": "small"}],
            True,
            id="one of several aggregates",
        ),
        pytest.param([{"instance_type": ""}], False, id="no flavor at all"),
    ],
)
def test_hosts_kept_for_flavors_take_no_others(
    metadata: list[dict[str, str]], *, passes: bool
) -> None:
    rule = AggregateTypeAffinityFilter()
    assert hosts_pass(rule, *metadata, flavor="small") is passes


@pytest.mark.parametrize(
    ("metadata", "passes"),
    [
        pytest.param([{"other": "x"}], True, id="no tenant named"),
        pytest.param([{"filter_tenant_id": "blue"}], False, id="another tenant"),
        pytest.param([{"filter_tenant_id": "blue, red"}], True, id="one of several"),
        pytest.param([{"filter_tenant_id_2": "red"}], True, id="a key that begins so"),
        pytest.param(
            [{"filter_tenant_id": "blue"}, {"filter_tenant_id3": "red"}],
            True,
            id="one of several aggregates",
        ),
        pytest.param([{"filter_tenant_id": ""}], False, id="nobody"),
    ],
)
def test_hosts_kept_for_tenants_take_no_others(
    metadata: list[dict[str, str]], *, passes: bool
) -> None:
    rule = AggregateMultiTenancyIsolation()
    assert hosts_pass(rule, *metadata, tenant="red") is passes


@pytest.mark.parametrize(
    ("metadata", "namespace", "passes"),
    [
        pytest.param({"os_distro": "fedora"}, "", False, id="another value"),
        pytest.param({"os_distro": "fedora,debian"}, "", True, id="one of several"),
        pytest.param({"hw_disk_bus": "scsi"}, "", True, id="the image does not say"),
        pytest.param({"os_distro": "fedora"}, "hw", True, id="beyond the namespace"),
        pytest.param({"os_distro": "fedora"}, "os", False, id="within the namespace"),
        pytest.param({"site_tier": "gold"}, "", False, id="a property Nova ignores"),
    ],
)
def test_hosts_kept_for_images_take_no_others(
    metadata: dict[str, str], namespace: str, *, passes: bool
) -> None:
    rule = AggregateImagePropertiesIsolation(namespace, "_")
    image = {"os_distro": "debian", "site_tier": "iron"}
    assert hosts_pass(rule, metadata, image_properties=image) is passes


@pytest.mark.parametrize(
    ("extra_specs", "passes"),
    [
        pytest.param({}, True, id="nothing asked"),
        pytest.param({"ssd": "true"}, True, id="without a scope"),
        pytest.param({"ssd": "maybe"}, False, id="another value"),
        pytest.param({"no_such": "1"}, False, id="no such key"),
        pytest.param(
            {"aggregate_instance_extra_specs:cores": ">= 8"}, True, id="operator"
        ),
        pytest.param(
            {"aggregate_instance_extra_specs:cores": "> 99"}, False, id="no operator"
        ),
        pytest.param({"hw:cpu_policy": "dedicated"}, True, id="another scope"),
        pytest.param({"ssd": "true", "cores": ">= 17"}, False, id="all must hold"),
    ],
)
def test_aggregates_must_satisfy_extra_specs(
    extra_specs: dict[str, str], *, passes: bool
) -> None:
    rule = AggregateInstanceExtraSpecsFilter()
    metadata = ({"ssd": "false, true"}, {"cores": "4,16"})
    assert hosts_pass(rule, *metadata, extra_specs=extra_specs) is passes


@pytest.mark.parametrize(
    ("extra_spec", "understood"),
    [
        ("ssd", True),
        ("aggregate_instance_extra_specs:a:b", True),
        ("hw:cpu_policy", False),
    ],
)
def test_keys_without_a_scope_are_for_aggregates(
    extra_spec: str, *, understood: bool
) -> None:
    assert AggregateInstanceExtraSpecsFilter().understands(extra_spec) is understood


LIMITS = [
    pytest.param((), 4, True, id="below the site's"),
    pytest.param((), 5, False, id="at the site's"),
    pytest.param(("9",), 8, True, id="the aggregate's is higher"),
    pytest.param(("9", " 3 "), 3, False, id="the lowest counts"),
    pytest.param(("3", "many"), 4, True, id="one is no number: the site's"),
    pytest.param(("1.5",), 4, True, id="no whole number: the site's"),
]


@pytest.mark.parametrize(("values", "count", "passes"), LIMITS)
@pytest.mark.parametrize(
    ("rule", "key"),
    [
        (AggregateIoOpsFilter(5), "max_io_ops_per_host"),
        (AggregateNumInstancesFilter(5), "max_instances_per_host"),
    ],
)
def test_the_lowest_limit_of_a_hosts_aggregates_counts(
    rule: ClassRule, key: str, values: tuple[str, ...], count: int, *, passes: bool
) -> None:
    metadata = [{key: value} for value in values]
    assert hosts_pass(rule, *metadata, claims=count) is passes


@pytest.mark.parametrize("rule", [IoOpsFilter(5), NumInstancesFilter(5)])
def test_the_site_limit_counts_whatever_aggregates_say(rule: ClassRule) -> None:
    loose = {"max_io_ops_per_host": "99", "max_instances_per_host": "99"}
    assert hosts_pass(rule, loose, claims=4)
    assert not hosts_pass(rule, loose, claims=5)
    assert "5" in rule.explain(SMALL)
