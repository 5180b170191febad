"""NumInstancesWeigher: prefer hosts with many guests, or with few."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray
from kilonova_operator.domain.scheduling.rows import HostRows


@dataclass(frozen=True, slots=True)
class NumInstancesWeigher:
    """Guests on the host; off by its multiplier unless a site sets one.

    Source: nova.scheduler.weights.num_instances, Nova 34.
    """

    multiplier: float = 0.0
    name = "NumInstancesWeigher"
    multiplier_key = "num_instances_weight_multiplier"
    sign = 1.0
    minval = None

    def weigh(self, hosts: HostRows) -> FloatArray:
        """Return the number of placements on the host."""
        return hosts.number("claims").astype(np.float64)
