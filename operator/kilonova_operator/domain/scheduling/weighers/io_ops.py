"""IoOpsWeigher: prefer hosts with little disk work under way."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone
from kilonova_operator.domain.scheduling.rows import HostRows


@dataclass(frozen=True, slots=True)
class IoOpsWeigher(FactsAlone):
    """Disk-heavy tasks under way. Source: nova.scheduler.weights.io_ops, Nova 34."""

    multiplier: float = -1.0
    name = "IoOpsWeigher"
    multiplier_key = "io_ops_weight_multiplier"
    sign = 1.0
    minval = 0.0

    def weigh(self, hosts: HostRows) -> FloatArray:
        """Return the number of such tasks."""
        return hosts.number("io_ops").astype(np.float64)
