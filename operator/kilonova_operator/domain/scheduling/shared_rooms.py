"""What the hosts of an aggregate take from together: Placement's sharing providers.

A class that a host lacks, or has no room for, may come from a provider that shares
with one of its aggregates.
Source: placement.objects.research_context.get_sharing_providers, Placement 16.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from kilonova_operator.domain.inventory import Inventory
from kilonova_operator.domain.providers import Provider
from kilonova_operator.domain.scheduling.aggregates import AggregateSet

SharedAmounts = Mapping[str, Mapping[str, int]]
"""Amounts by resource class, by provider."""


@dataclass(frozen=True, slots=True)
class SharedRoom:
    """One sharing provider; ``aggregates`` by their names."""

    provider: str
    aggregates: frozenset[str]
    inventories: Mapping[str, Inventory]
    used: Mapping[str, int] = field(default_factory=dict)

    def fits(self, resource_class: str, amount: int) -> bool:
        """Tell whether so much more fits."""
        inventory = self.inventories.get(resource_class)
        used = self.used.get(resource_class, 0)
        return inventory is not None and inventory.fits(amount, used=used)

    def take(self, amounts: Mapping[str, int]) -> "SharedRoom":
        """Return it with so much more in use."""
        used = dict(self.used)
        for name, amount in amounts.items():
            used[name] = used.get(name, 0) + amount
        return replace(self, used=used)


def build_shared_rooms(providers: Iterable[Provider]) -> tuple[SharedRoom, ...]:
    """Return the rooms of those providers that share, by name."""
    return tuple(
        SharedRoom(p.name, p.aggregates, p.inventories, p.used)
        for p in sorted(providers, key=lambda provider: provider.name)
        if p.shares
    )


def find_aggregates_with_room(
    rooms: Iterable[SharedRoom], resource_class: str, amount: int
) -> frozenset[str]:
    """Return the aggregates whose hosts may take so much of a shared class."""
    fitting = (room.aggregates for room in rooms if room.fits(resource_class, amount))
    return frozenset().union(*fitting)


def choose_room(
    rooms: Iterable[SharedRoom],
    aggregates: AggregateSet,
    resource_class: str,
    amount: int,
) -> str | None:
    """Return the first provider from which a host of these aggregates may take."""
    names = {aggregate.name for aggregate in aggregates.aggregates}
    return next(
        (
            room.provider
            for room in rooms
            if room.aggregates & names and room.fits(resource_class, amount)
        ),
        None,
    )
