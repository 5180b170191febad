"""Room for one resource class, by Placement's rule."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import BoolArray, HostColumns
from kilonova_operator.domain.scheduling.interfaces import NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest


@dataclass(frozen=True, slots=True)
class Capacity(NoExtraSpecs):
    """Leave out hosts without room; ``Inventory.fits`` over all hosts at once.

    Source: placement.objects.research_context, Placement 16.
    """

    resource_class: str

    @property
    def name(self) -> str:
        """The constraint with its class, as Capacity:MEMORY_MB."""
        return f"Capacity:{self.resource_class}"

    def mask(self, hosts: HostColumns, request: BuildRequest) -> BoolArray:
        """Pass hosts where the amount fits beside what is taken."""
        wanted = request.amounts.get(self.resource_class, 0)
        if wanted == 0:
            return np.ones(len(hosts), np.bool_)
        name = self.resource_class
        total, reserved = hosts.amount("total", name), hosts.amount("reserved", name)
        capacity = (total - reserved) * hosts.ratio(name)
        fits: BoolArray = hosts.taken(name) + wanted <= capacity
        fits &= hosts.amount("min_unit", name) <= wanted
        fits &= hosts.amount("max_unit", name) >= wanted
        fits &= wanted % np.maximum(hosts.amount("step_size", name), 1) == 0
        return fits

    def explain(self, request: BuildRequest) -> str:
        """Say how much was asked for."""
        wanted = request.amounts.get(self.resource_class, 0)
        return f"{wanted} {self.resource_class} are needed; the host has less free."
