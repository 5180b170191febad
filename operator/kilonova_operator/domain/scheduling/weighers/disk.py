"""DiskWeigher: prefer free disk."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray, HostColumns
from kilonova_operator.domain.scheduling.free import free_disk_mb
from kilonova_operator.domain.scheduling.request import BuildRequest


@dataclass(frozen=True, slots=True)
class DiskWeigher:
    """Free disk without the ratio. Source: nova.scheduler.weights.disk, Nova 34."""

    multiplier: float = 1.0
    name = "DiskWeigher"
    minval = 0.0

    def weigh(self, hosts: HostColumns, request: BuildRequest) -> FloatArray:
        """Return free disk in MiB."""
        del request
        return free_disk_mb(hosts).astype(np.float64)
