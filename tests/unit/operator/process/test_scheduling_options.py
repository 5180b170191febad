"""A site's scheduling options, by nova.conf's names."""

from typing import Any

import pytest

from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.process.scheduling import (
    SchedulingOptionInvalid,
    build_scheduling_options,
)


def test_what_is_left_out_has_novas_default() -> None:
    assert build_scheduling_options({}) == SchedulingOptions()


def test_options_are_read_by_novas_names() -> None:
    options = build_scheduling_options(
        {
            "enabled_filters": ["ComputeFilter", "JsonFilter"],
            "ram_weight_multiplier": -2,
            "limit_tenants_to_placement_aggregate": True,
            "isolated_hosts": ["hv1"],
            "metrics_weight_setting": {"cpu.percent": -0.5},
        }
    )
    assert options.enabled_filters == ("ComputeFilter", "JsonFilter")
    assert options.multipliers.ram_weight_multiplier == -2.0
    assert isinstance(options.multipliers.ram_weight_multiplier, float)
    assert options.prefilters.limit_tenants_to_placement_aggregate
    assert options.isolated_hosts == {"hv1"}
    assert options.metrics_weight_setting == (("cpu.percent", -0.5),)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"ram_weight_multiplyer": 1}, "did you mean ram_weight_multiplier"),
        ({"colour": 1}, "colour: unknown"),
        ({"multipliers": {}}, "multipliers: unknown"),
        ({"ram_weight_multiplier": "much"}, "ram_weight_multiplier: .* number"),
        ({"enabled_filters": "ComputeFilter"}, "enabled_filters: .* tuple"),
        ({"metrics_weight_setting": ["a=1"]}, "metrics_weight_setting: must be an obj"),
        ({"metrics_weight_setting": {"a": "x"}}, "metrics_weight_setting"),
        ({"max_io_ops_per_host": 1.5}, "max_io_ops_per_host"),
        ({"cpu_weight_multiplier": float("nan")}, "cpu_weight_multiplier: must be fin"),
        ({"host_subset_size": 0}, "host_subset_size: must be 1 or more"),
        ({"soft_affinity_weight_multiplier": -1}, "soft_affinity_weight_multiplier"),
    ],
)
def test_a_bad_option_is_named(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(SchedulingOptionInvalid, match=problem):
        build_scheduling_options(values)
