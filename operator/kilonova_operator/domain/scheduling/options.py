"""What a site chooses of the scheduler, by the names of nova.conf.

Sections are left out of names, but for [metrics], whose names say too little alone.
"""

from dataclasses import dataclass, field

Weights = tuple[tuple[str, float], ...]

DEFAULT_FILTERS = (
    "ComputeFilter",
    "ComputeCapabilitiesFilter",
    "ImagePropertiesFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
    "NUMATopologyFilter",
)
"""enabled_filters, Nova 34, and NUMATopologyFilter.

Without the latter a guest with NUMA cells finds out only by claims that are refused,
host after host. Guests without cells do not pass through it.
"""

LEAST = {
    "host_subset_size": 1,
    "max_io_ops_per_host": 0,
    "max_instances_per_host": 1,
    "pci_weight_multiplier": 0,
    "soft_affinity_weight_multiplier": 0,
    "soft_anti_affinity_weight_multiplier": 0,
}
"""Lowest values that nova.conf lets an option have."""

KNOWN_FILTERS = frozenset(
    {
        *DEFAULT_FILTERS,
        "AggregateImagePropertiesIsolation",
        "AggregateInstanceExtraSpecsFilter",
        "AggregateIoOpsFilter",
        "AggregateMultiTenancyIsolation",
        "AggregateNumInstancesFilter",
        "AggregateTypeAffinityFilter",
        "AllHostsFilter",
        "DifferentHostFilter",
        "IoOpsFilter",
        "IsolatedHostsFilter",
        "JsonFilter",
        "MetricsFilter",
        "NumInstancesFilter",
        "SameHostFilter",
        "SimpleCIDRAffinityFilter",
    }
)
"""Nova's filters; any other is a site's own, and may read whatever there is."""

DEFAULT_WEIGHERS = (
    "BuildFailureWeigher",
    "CPUWeigher",
    "CrossCellWeigher",
    "DiskWeigher",
    "HypervisorVersionWeigher",
    "ImagePropertiesWeigher",
    "IoOpsWeigher",
    "MetricsWeigher",
    "NumInstancesWeigher",
    "PCIWeigher",
    "RAMWeigher",
    "ServerGroupSoftAffinityWeigher",
    "ServerGroupSoftAntiAffinityWeigher",
)
"""weight_classes: all weighers, Nova 34."""


@dataclass(frozen=True, slots=True)
class PrefilterOptions:
    """[scheduler] of nova.conf, as far as pre-filters read it."""

    limit_tenants_to_placement_aggregate: bool = False
    placement_aggregate_required_for_tenants: bool = False
    enable_isolated_aggregate_filtering: bool = False
    image_metadata_prefilter: bool = False
    query_placement_for_image_type_support: bool = False


@dataclass(frozen=True, slots=True)
class WeightMultipliers:
    """How much each weigher counts; negative turns it round."""

    ram_weight_multiplier: float = 1.0
    cpu_weight_multiplier: float = 1.0
    disk_weight_multiplier: float = 1.0
    hypervisor_version_weight_multiplier: float = 1.0
    num_instances_weight_multiplier: float = 0.0
    io_ops_weight_multiplier: float = -1.0
    image_props_weight_multiplier: float = 0.0
    pci_weight_multiplier: float = 1.0
    soft_affinity_weight_multiplier: float = 1.0
    soft_anti_affinity_weight_multiplier: float = 1.0
    build_failure_weight_multiplier: float = 1_000_000.0
    cross_cell_move_weight_multiplier: float = 1_000_000.0
    metrics_weight_multiplier: float = 1.0


@dataclass(frozen=True, slots=True)
class SchedulingOptions:
    """All of it; the defaults are Nova 34's."""

    enabled_filters: tuple[str, ...] = DEFAULT_FILTERS
    weight_classes: tuple[str, ...] = DEFAULT_WEIGHERS
    prefilters: PrefilterOptions = field(default_factory=PrefilterOptions)
    multipliers: WeightMultipliers = field(default_factory=WeightMultipliers)
    host_subset_size: int = 1
    shuffle_best_same_weighed_hosts: bool = False
    max_io_ops_per_host: int = 8
    max_instances_per_host: int = 50
    isolated_hosts: frozenset[str] = frozenset()
    isolated_images: frozenset[str] = frozenset()
    restrict_isolated_hosts_to_isolated_images: bool = True
    image_properties_default_architecture: str = ""
    aggregate_image_properties_isolation_namespace: str = ""
    aggregate_image_properties_isolation_separator: str = "."
    image_props_weight_setting: Weights = ()
    metrics_weight_setting: Weights = ()
    metrics_required: bool = True
    metrics_weight_of_unavailable: float = -10000.0

    @property
    def reads_tenant(self) -> bool:
        """Whether a rule parts requests by their tenant."""
        return self.prefilters.limit_tenants_to_placement_aggregate or self.may_enable(
            "AggregateMultiTenancyIsolation"
        )

    @property
    def reads_image(self) -> bool:
        """Whether a rule parts requests by the image itself."""
        return self.may_enable("IsolatedHostsFilter")

    @property
    def reads_image_format(self) -> bool:
        """Whether a rule parts requests by the image's format."""
        return self.prefilters.query_placement_for_image_type_support or (
            not self._knows_all_filters
        )

    @property
    def reads_query(self) -> bool:
        """Whether a rule parts requests by the hint query."""
        return self.may_enable("JsonFilter")

    def may_enable(self, name: str) -> bool:
        """Whether a filter of Nova is enabled; a site's own may do what it does."""
        return name in self.enabled_filters or not self._knows_all_filters

    def may_weigh(self, name: str) -> bool:
        """Whether a weigher of Nova is enabled; a site's own may do what it does."""
        known = frozenset(DEFAULT_WEIGHERS).issuperset(self.weight_classes)
        return name in self.weight_classes or not known

    @property
    def _knows_all_filters(self) -> bool:
        return KNOWN_FILTERS.issuperset(self.enabled_filters)
