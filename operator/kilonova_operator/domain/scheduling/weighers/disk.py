"""DiskWeigher: prefer free disk."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray
from kilonova_operator.domain.scheduling.free import free_disk_mb
from kilonova_operator.domain.scheduling.rows import HostRows


@dataclass(frozen=True, slots=True)
class DiskWeigher:
    """Free disk without the ratio. Source: nova.scheduler.weights.disk, Nova 34."""

    multiplier: float = 1.0
    name = "DiskWeigher"
    multiplier_key = "disk_weight_multiplier"
    sign = 1.0
    minval = 0.0

    def weigh(self, hosts: HostRows) -> FloatArray:
        """Return free disk in MiB."""
        return free_disk_mb(hosts).astype(np.float64)
