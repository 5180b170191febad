"""HypervisorVersionWeigher: prefer newer hypervisors."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray, HostColumns
from kilonova_operator.domain.scheduling.request import BuildRequest


@dataclass(frozen=True, slots=True)
class HypervisorVersionWeigher:
    """The version as a number.

    Source: nova.scheduler.weights.hypervisor_version, Nova 34.
    """

    multiplier: float = 1.0
    name = "HypervisorVersionWeigher"
    minval = None

    def weigh(self, hosts: HostColumns, request: BuildRequest) -> FloatArray:
        """Return the hypervisor's version."""
        del request
        return hosts.number("hypervisor_version").astype(np.float64)
