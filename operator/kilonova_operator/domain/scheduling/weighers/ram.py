"""RAMWeigher: prefer free memory."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray, HostColumns
from kilonova_operator.domain.scheduling.free import free_ram_mb
from kilonova_operator.domain.scheduling.request import BuildRequest


@dataclass(frozen=True, slots=True)
class RAMWeigher:
    """Free memory without the ratio. Source: nova.scheduler.weights.ram, Nova 34."""

    multiplier: float = 1.0
    name = "RAMWeigher"
    minval = 0.0

    def weigh(self, hosts: HostColumns, request: BuildRequest) -> FloatArray:
        """Return free memory in MiB."""
        del request
        return free_ram_mb(hosts).astype(np.float64)
