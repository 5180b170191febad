"""BuildFailureWeigher: avoid hosts on which builds failed lately."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone
from kilonova_operator.domain.scheduling.rows import HostRows


@dataclass(frozen=True, slots=True)
class BuildFailureWeigher(FactsAlone):
    """Failed builds since the last one that succeeded; the multiplier is turned round.

    Source: nova.scheduler.weights.compute, Nova 34.
    """

    multiplier: float = 1_000_000.0
    name = "BuildFailureWeigher"
    multiplier_key = "build_failure_weight_multiplier"
    sign = -1.0
    minval = None

    def weigh(self, hosts: HostRows) -> FloatArray:
        """Return the number of failed builds."""
        return hosts.number("failed_builds").astype(np.float64)
