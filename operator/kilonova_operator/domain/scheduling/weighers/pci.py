"""PCIWeigher: keep hosts with PCI devices free."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone
from kilonova_operator.domain.scheduling.rows import HostRows

_MOST_DEVICES = 100.0


@dataclass(frozen=True, slots=True)
class PCIWeigher(FactsAlone):
    """Few free PCI devices. No host offers any, so all are equal and score 0.

    Source: nova.scheduler.weights.pci, Nova 34.
    """

    multiplier: float = 1.0
    name = "PCIWeigher"
    multiplier_key = "pci_weight_multiplier"
    sign = 1.0
    minval = None

    def weigh(self, hosts: HostRows) -> FloatArray:
        """Return the weight of a host without devices."""
        return np.full(len(hosts), _MOST_DEVICES)
