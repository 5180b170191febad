"""CPUWeigher: prefer free virtual CPUs."""

from dataclasses import dataclass

from kilonova_operator.domain.inventory import VCPU
from kilonova_operator.domain.scheduling.columns import FloatArray, HostColumns
from kilonova_operator.domain.scheduling.request import BuildRequest


@dataclass(frozen=True, slots=True)
class CPUWeigher:
    """Free virtual CPUs, ratio included.

    Reserved CPUs count as used, so the ratio does not multiply them.
    Source: nova.scheduler.weights.cpu and nova.compute.resource_tracker, Nova 34.
    """

    multiplier: float = 1.0
    name = "CPUWeigher"
    minval = 0.0

    def weigh(self, hosts: HostColumns, request: BuildRequest) -> FloatArray:
        """Return free virtual CPUs."""
        del request
        used = hosts.amount("reserved", VCPU) + hosts.taken(VCPU)
        free: FloatArray = hosts.amount("total", VCPU) * hosts.ratio(VCPU) - used
        return free
