"""CPUWeigher: prefer free virtual CPUs."""

from dataclasses import dataclass

from kilonova_operator.domain.inventory import VCPU
from kilonova_operator.domain.scheduling.columns import FloatArray
from kilonova_operator.domain.scheduling.rows import HostRows


@dataclass(frozen=True, slots=True)
class CPUWeigher:
    """Free virtual CPUs, ratio included.

    Reserved CPUs count as used, so the ratio does not multiply them.
    Source: nova.scheduler.weights.cpu and nova.compute.resource_tracker, Nova 34.
    """

    multiplier: float = 1.0
    name = "CPUWeigher"
    multiplier_key = "cpu_weight_multiplier"
    sign = 1.0
    minval = 0.0

    def weigh(self, hosts: HostRows) -> FloatArray:
        """Return free virtual CPUs."""
        used = hosts.amount("reserved", VCPU) + hosts.taken(VCPU)
        free: FloatArray = hosts.amount("total", VCPU) * hosts.ratio(VCPU) - used
        return free
