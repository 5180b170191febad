"""The rules that are on, in their order; Nova's defaults as far as they are built."""

from kilonova_operator.domain.inventory import RESOURCE_CLASSES
from kilonova_operator.domain.scheduling.filters.compute import ComputeFilter
from kilonova_operator.domain.scheduling.filters.compute_capabilities import (
    ComputeCapabilitiesFilter,
)
from kilonova_operator.domain.scheduling.filters.image_properties import (
    ImagePropertiesFilter,
)
from kilonova_operator.domain.scheduling.prefilters.agent_version import AgentVersion
from kilonova_operator.domain.scheduling.prefilters.capacity import Capacity
from kilonova_operator.domain.scheduling.prefilters.cell_enabled import CellEnabled
from kilonova_operator.domain.scheduling.prefilters.host_enabled import HostEnabled
from kilonova_operator.domain.scheduling.prefilters.host_mapped import HostMapped
from kilonova_operator.domain.scheduling.prefilters.requested_hosts import (
    Forced,
    NotIgnored,
)
from kilonova_operator.domain.scheduling.scheduler import SchedulingRules
from kilonova_operator.domain.scheduling.weighers.cpu import CPUWeigher
from kilonova_operator.domain.scheduling.weighers.disk import DiskWeigher
from kilonova_operator.domain.scheduling.weighers.hypervisor_version import (
    HypervisorVersionWeigher,
)
from kilonova_operator.domain.scheduling.weighers.num_instances import (
    NumInstancesWeigher,
)
from kilonova_operator.domain.scheduling.weighers.ram import RAMWeigher


def build_default_rules() -> SchedulingRules:
    """Return the rules of an installation that changes none."""
    return SchedulingRules(
        prefilters=(
            HostMapped(),
            CellEnabled(),
            HostEnabled(),
            Forced(),
            NotIgnored(),
            AgentVersion(),
            *(Capacity(name) for name in RESOURCE_CLASSES),
        ),
        filters=(
            ComputeFilter(),
            ComputeCapabilitiesFilter(),
            ImagePropertiesFilter(),
        ),
        weighers=(
            CPUWeigher(),
            DiskWeigher(),
            HypervisorVersionWeigher(),
            NumInstancesWeigher(),
            RAMWeigher(),
        ),
    )
