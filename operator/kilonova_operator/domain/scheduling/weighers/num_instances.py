"""NumInstancesWeigher: prefer hosts with many guests, or with few."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray, HostColumns
from kilonova_operator.domain.scheduling.request import BuildRequest


@dataclass(frozen=True, slots=True)
class NumInstancesWeigher:
    """Guests on the host; off by its multiplier unless a site sets one.

    Source: nova.scheduler.weights.num_instances, Nova 34.
    """

    multiplier: float = 0.0
    name = "NumInstancesWeigher"
    minval = None

    def weigh(self, hosts: HostColumns, request: BuildRequest) -> FloatArray:
        """Return the number of placements on the host."""
        del request
        return hosts.number("claims").astype(np.float64)
