"""What a site says to the scheduler reaches the operator as it was said."""

from collections.abc import Mapping
from typing import Any

import pytest

from kilonova_operator.domain.scheduling.options import (
    DEFAULT_FILTERS,
    SchedulingOptions,
)
from kilonova_operator.process.scheduling import (
    build_scheduling_options,
    list_option_names,
    load_scheduling,
)
from kilonova_operator.settings import Settings
from support.charts import get, render_values


def read_settings(
    monkeypatch: pytest.MonkeyPatch, values: Mapping[str, Any]
) -> Settings:
    """Read the operator's settings from what the chart makes of values."""
    manifests = render_values(values)
    for name, text in get(manifests, "ConfigMap", "kilonova-operator")["data"].items():
        monkeypatch.setenv(name, text)
    return Settings()


OPTIONS: dict[str, Any] = {
    "enabled_filters": [*DEFAULT_FILTERS, "NUMATopologyFilter", "JsonFilter"],
    "weight_classes": ["RAMWeigher", "MetricsWeigher"],
    "host_subset_size": 3,
    "shuffle_best_same_weighed_hosts": True,
    "max_io_ops_per_host": 1000000,
    "max_instances_per_host": 30,
    "isolated_hosts": ["hv1", "hv2"],
    "isolated_images": ["0c8e5d3e-3c1b-4b0e-9b1e-1f9f2f0c7f11"],
    "restrict_isolated_hosts_to_isolated_images": False,
    "image_properties_default_architecture": "x86_64",
    "aggregate_image_properties_isolation_namespace": "site",
    "aggregate_image_properties_isolation_separator": "::",
    "image_props_weight_setting": {"os_distro": 2.5, 'quoted "key"': 1},
    "metrics_weight_setting": {"cpu.percent": -0.5},
    "metrics_required": False,
    "metrics_weight_of_unavailable": -3e7,
    "limit_tenants_to_placement_aggregate": True,
    "placement_aggregate_required_for_tenants": True,
    "enable_isolated_aggregate_filtering": True,
    "image_metadata_prefilter": True,
    "query_placement_for_image_type_support": True,
    "build_failure_weight_multiplier": 1e21,
    "cpu_weight_multiplier": 0.1,
    "cross_cell_move_weight_multiplier": 12345678.9,
    "disk_weight_multiplier": 0,
    "hypervisor_version_weight_multiplier": -1,
    "image_props_weight_multiplier": 2,
    "io_ops_weight_multiplier": -1.5,
    "metrics_weight_multiplier": 2.25,
    "num_instances_weight_multiplier": -0.25,
    "pci_weight_multiplier": 0.0,
    "ram_weight_multiplier": -1.0,
    "soft_affinity_weight_multiplier": 7,
    "soft_anti_affinity_weight_multiplier": 8,
}


def find_option(options: SchedulingOptions, name: str) -> Any:
    """Return an option by its name in nova.conf, in the form a site gives it."""
    parts = (options, options.prefilters, options.multipliers)
    (part,) = [part for part in parts if hasattr(part, name)]
    value = getattr(part, name)
    if name.endswith("_weight_setting"):
        return dict(value)
    return sorted(value) if isinstance(value, tuple | frozenset) else value


def test_every_option_of_the_scheduler_comes_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert set(OPTIONS) == set(list_option_names())
    settings = read_settings(monkeypatch, {"scheduler": {"options": OPTIONS}})
    options = build_scheduling_options(settings.scheduling)
    for name, value in OPTIONS.items():
        wanted = sorted(value) if isinstance(value, list) else value
        assert find_option(options, name) == wanted, name
        assert find_option(SchedulingOptions(), name) != wanted, (
            f"{name} proves nothing"
        )
    load_scheduling(options)


@pytest.mark.parametrize("options", [{}, None], ids=["none set", "null"])
def test_what_is_left_out_has_novas_default(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any] | None
) -> None:
    settings = read_settings(monkeypatch, {"scheduler": {"options": options}})
    assert build_scheduling_options(settings.scheduling) == SchedulingOptions()


def test_the_charts_own_values_are_the_settings_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = read_settings(monkeypatch, {})
    for name in SCHEDULER:
        assert getattr(settings, name) == Settings.model_fields[name].default, name


SCHEDULER: dict[str, tuple[str, Any]] = {
    "cpu_allocation_ratio": ("cpuAllocationRatio", 16),
    "ram_allocation_ratio": ("ramAllocationRatio", 1.125),
    "disk_allocation_ratio": ("diskAllocationRatio", 0.5),
    "reserved_host_memory_mib": ("reservedHostMemoryMiB", 16777216),
    "reserved_host_cpus": ("reservedHostCpus", 2),
    "reserved_host_disk_gib": ("reservedHostDiskGiB", 1000000),
    "reference_grace_seconds": ("referenceGraceSeconds", 0),
    "no_valid_host_grace_seconds": ("noValidHostGraceSeconds", 1000000.5),
}


def test_ratios_reserves_and_patience_come_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = dict(SCHEDULER.values())
    settings = read_settings(monkeypatch, {"scheduler": values})
    for name, (_, value) in SCHEDULER.items():
        assert getattr(settings, name) == value, name
