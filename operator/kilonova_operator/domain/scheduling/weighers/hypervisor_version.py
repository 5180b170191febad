"""HypervisorVersionWeigher: prefer newer hypervisors."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone
from kilonova_operator.domain.scheduling.rows import HostRows


@dataclass(frozen=True, slots=True)
class HypervisorVersionWeigher(FactsAlone):
    """The version as a number.

    Source: nova.scheduler.weights.hypervisor_version, Nova 34.
    """

    multiplier: float = 1.0
    name = "HypervisorVersionWeigher"
    multiplier_key = "hypervisor_version_weight_multiplier"
    sign = 1.0
    minval = None

    def weigh(self, hosts: HostRows) -> FloatArray:
        """Return the hypervisor's version."""
        return hosts.number("hypervisor_version").astype(np.float64)
