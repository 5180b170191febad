"""What a host has, what is used of it, and Placement's rule of what still fits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

VCPU = "VCPU"
PCPU = "PCPU"
MEMORY_MB = "MEMORY_MB"
DISK_GB = "DISK_GB"
RESOURCE_CLASSES = (VCPU, MEMORY_MB, DISK_GB)
"""The classes a flavor asks for, in the order in which they are judged."""
_ORDER = {name: place for place, name in enumerate(RESOURCE_CLASSES)}

INITIAL_RATIOS: Mapping[str, float] = {VCPU: 4.0, MEMORY_MB: 1.0, DISK_GB: 1.0}
"""initial_cpu/ram/disk_allocation_ratio, Nova 34."""

RESERVED_HOST_MEMORY_MB = 512
"""reserved_host_memory_mb, Nova 34."""

MAX_UNIT = 2147483647
"""Placement's default of max_unit; hosts report their physical total instead."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """One resource class of one host, as Placement keeps it.

    ``unmanaged`` is what living guests take that no Server speaks of: it is
    used, though nobody claimed it.
    """

    total: int
    reserved: int = 0
    allocation_ratio: float = 1.0
    min_unit: int = 1
    max_unit: int = MAX_UNIT
    step_size: int = 1
    unmanaged: int = 0

    @property
    def capacity(self) -> float:
        """What may be used in all; a real number, as Placement compares it."""
        return (self.total - self.reserved) * self.allocation_ratio

    def fits(self, amount: int, *, used: int) -> bool:
        """Tell whether ``amount`` more fits beside ``used`` (claims alone).

        Source: placement.objects.allocation._check_capacity_exceeded and
        placement.objects.research_context, Placement 16.
        """
        return (
            used + self.unmanaged + amount <= self.capacity
            and self.min_unit <= amount <= self.max_unit
            and amount % self.step_size == 0
        )


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A host's inventories and claims, all read at one provider generation."""

    host: str
    cell: str
    generation: int
    inventories: Mapping[str, Inventory]
    used: Mapping[str, int] = field(default_factory=dict)
    claims: int = 0
    """Placements that hold something on the host."""

    def find_shortfall(self, amounts: Mapping[str, int]) -> str | None:
        """Return the first resource class that does not fit; None if all fit."""
        short = {
            resource_class: amount
            for resource_class, amount in amounts.items()
            if amount and not self._fits(resource_class, amount)
        }
        return sort_amounts(short)[0][0] if short else None

    def _fits(self, resource_class: str, amount: int) -> bool:
        inventory = self.inventories.get(resource_class)
        used = self.used.get(resource_class, 0)
        return inventory is not None and inventory.fits(amount, used=used)

    def free(self, resource_class: str) -> float:
        """Return what is left of the class; below 0 where a host shrank."""
        inventory = self.inventories.get(resource_class)
        if inventory is None:
            return 0.0
        used = self.used.get(resource_class, 0) + inventory.unmanaged
        return inventory.capacity - used


def sort_amounts(amounts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return what is asked for in judging order; zero amounts are not asked for."""
    wanted = [(name, amount) for name, amount in amounts.items() if amount != 0]
    wanted.sort(key=_judging_order)
    return wanted


def _judging_order(wanted: tuple[str, int]) -> tuple[int, str]:
    name = wanted[0]
    return _ORDER.get(name, len(_ORDER)), name
