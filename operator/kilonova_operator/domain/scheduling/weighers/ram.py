"""RAMWeigher: prefer free memory."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray
from kilonova_operator.domain.scheduling.free import free_ram_mb
from kilonova_operator.domain.scheduling.rows import HostRows


@dataclass(frozen=True, slots=True)
class RAMWeigher:
    """Free memory without the ratio. Source: nova.scheduler.weights.ram, Nova 34."""

    multiplier: float = 1.0
    name = "RAMWeigher"
    multiplier_key = "ram_weight_multiplier"
    sign = 1.0
    minval = 0.0

    def weigh(self, hosts: HostRows) -> FloatArray:
        """Return free memory in MiB."""
        return free_ram_mb(hosts).astype(np.float64)
