"""Rules by name: what a site may enable, each made from its options."""

from collections.abc import Callable, Mapping

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
from kilonova_operator.domain.scheduling.filters.all_hosts import AllHostsFilter
from kilonova_operator.domain.scheduling.filters.compute import ComputeFilter
from kilonova_operator.domain.scheduling.filters.compute_capabilities import (
    ComputeCapabilitiesFilter,
)
from kilonova_operator.domain.scheduling.filters.image_properties import (
    ImagePropertiesFilter,
)
from kilonova_operator.domain.scheduling.filters.io_ops import (
    AggregateIoOpsFilter,
    IoOpsFilter,
)
from kilonova_operator.domain.scheduling.filters.isolated_hosts import (
    IsolatedHostsFilter,
)
from kilonova_operator.domain.scheduling.filters.json_query import JsonFilter
from kilonova_operator.domain.scheduling.filters.metrics import MetricsFilter
from kilonova_operator.domain.scheduling.filters.near_host import (
    SimpleCIDRAffinityFilter,
)
from kilonova_operator.domain.scheduling.filters.num_instances import (
    AggregateNumInstancesFilter,
    NumInstancesFilter,
)
from kilonova_operator.domain.scheduling.filters.numa_topology import (
    NUMATopologyFilter,
)
from kilonova_operator.domain.scheduling.filters.other_hosts import (
    DifferentHostFilter,
    SameHostFilter,
)
from kilonova_operator.domain.scheduling.filters.server_group import (
    ServerGroupAffinityFilter,
    ServerGroupAntiAffinityFilter,
)
from kilonova_operator.domain.scheduling.interfaces import (
    ClassFilter,
    HostWeigher,
    RequestFilter,
    RequestWeigher,
)
from kilonova_operator.domain.scheduling.options import SchedulingOptions
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

AnyFilter = ClassFilter | RequestFilter
AnyWeigher = HostWeigher | RequestWeigher
FilterMakers = Mapping[str, Callable[[SchedulingOptions], AnyFilter]]
WeigherMakers = Mapping[str, Callable[[SchedulingOptions], AnyWeigher]]


def build_metrics_filter(options: SchedulingOptions) -> MetricsFilter:
    """Return the filter of the metrics that are weighed."""
    return MetricsFilter(frozenset(name for name, _ in options.metrics_weight_setting))


FILTERS: FilterMakers = {
    "AggregateImagePropertiesIsolation": lambda o: AggregateImagePropertiesIsolation(
        o.aggregate_image_properties_isolation_namespace,
        o.aggregate_image_properties_isolation_separator,
    ),
    "AggregateInstanceExtraSpecsFilter": lambda _: AggregateInstanceExtraSpecsFilter(),
    "AggregateIoOpsFilter": lambda o: AggregateIoOpsFilter(o.max_io_ops_per_host),
    "AggregateMultiTenancyIsolation": lambda _: AggregateMultiTenancyIsolation(),
    "AggregateNumInstancesFilter": lambda o: AggregateNumInstancesFilter(
        o.max_instances_per_host
    ),
    "AggregateTypeAffinityFilter": lambda _: AggregateTypeAffinityFilter(),
    "AllHostsFilter": lambda _: AllHostsFilter(),
    "ComputeCapabilitiesFilter": lambda _: ComputeCapabilitiesFilter(),
    "ComputeFilter": lambda _: ComputeFilter(),
    "DifferentHostFilter": lambda _: DifferentHostFilter(),
    "ImagePropertiesFilter": lambda o: ImagePropertiesFilter(
        o.image_properties_default_architecture
    ),
    "IoOpsFilter": lambda o: IoOpsFilter(o.max_io_ops_per_host),
    "IsolatedHostsFilter": lambda o: IsolatedHostsFilter(
        o.isolated_hosts,
        o.isolated_images,
        o.restrict_isolated_hosts_to_isolated_images,
    ),
    "JsonFilter": lambda _: JsonFilter(),
    "MetricsFilter": build_metrics_filter,
    "NUMATopologyFilter": lambda _: NUMATopologyFilter(),
    "NumInstancesFilter": lambda o: NumInstancesFilter(o.max_instances_per_host),
    "SameHostFilter": lambda _: SameHostFilter(),
    "ServerGroupAffinityFilter": lambda _: ServerGroupAffinityFilter(),
    "ServerGroupAntiAffinityFilter": lambda _: ServerGroupAntiAffinityFilter(),
    "SimpleCIDRAffinityFilter": lambda _: SimpleCIDRAffinityFilter(),
}

WEIGHERS: WeigherMakers = {
    "BuildFailureWeigher": lambda o: BuildFailureWeigher(
        o.multipliers.build_failure_weight_multiplier
    ),
    "CPUWeigher": lambda o: CPUWeigher(o.multipliers.cpu_weight_multiplier),
    "CrossCellWeigher": lambda o: CrossCellWeigher(
        o.multipliers.cross_cell_move_weight_multiplier
    ),
    "DiskWeigher": lambda o: DiskWeigher(o.multipliers.disk_weight_multiplier),
    "HypervisorVersionWeigher": lambda o: HypervisorVersionWeigher(
        o.multipliers.hypervisor_version_weight_multiplier
    ),
    "ImagePropertiesWeigher": lambda o: ImagePropertiesWeigher(
        o.multipliers.image_props_weight_multiplier, o.image_props_weight_setting
    ),
    "IoOpsWeigher": lambda o: IoOpsWeigher(o.multipliers.io_ops_weight_multiplier),
    "MetricsWeigher": lambda o: MetricsWeigher(
        o.multipliers.metrics_weight_multiplier,
        o.metrics_weight_setting,
        o.metrics_weight_of_unavailable,
    ),
    "NumInstancesWeigher": lambda o: NumInstancesWeigher(
        o.multipliers.num_instances_weight_multiplier
    ),
    "PCIWeigher": lambda o: PCIWeigher(o.multipliers.pci_weight_multiplier),
    "RAMWeigher": lambda o: RAMWeigher(o.multipliers.ram_weight_multiplier),
    "ServerGroupSoftAffinityWeigher": lambda o: ServerGroupSoftAffinityWeigher(
        o.multipliers.soft_affinity_weight_multiplier
    ),
    "ServerGroupSoftAntiAffinityWeigher": lambda o: ServerGroupSoftAntiAffinityWeigher(
        o.multipliers.soft_anti_affinity_weight_multiplier
    ),
}
