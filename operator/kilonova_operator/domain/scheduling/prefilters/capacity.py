"""Room for resource classes, by Placement's rule."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.inventory import RESOURCE_CLASSES
from kilonova_operator.domain.scheduling.columns import BoolArray, HostColumns
from kilonova_operator.domain.scheduling.interfaces import NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows
from kilonova_operator.domain.scheduling.shared_rooms import (
    SharedAmounts,
    choose_room,
)

_SCOPE = "resources:"


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

    def applies(self, asked: RequestClass) -> bool:
        """Look only where something of the class is asked for."""
        return asked.amount(self.resource_class) != 0

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts where the amount fits beside what is taken."""
        wanted = asked.amount(self.resource_class)
        if wanted == 0:
            return hosts.pass_all()
        return find_room(hosts, self.resource_class, wanted)

    def explain(self, request: BuildRequest) -> str:
        """Say how much was asked for."""
        return _explain(request.asked, (self.resource_class,))


class OtherCapacity:
    """Leave out hosts without room for the classes that few requests ask for."""

    name = "Capacity:Other"

    def understands(self, extra_spec: str) -> bool:
        """Claim the keys that set an amount."""
        return extra_spec.startswith(_SCOPE)

    def applies(self, asked: RequestClass) -> bool:
        """Look only where such a class is asked for."""
        return bool(_other_classes(asked))

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts where the amount of every such class fits."""
        passes = hosts.pass_all()
        for resource_class in _other_classes(asked):
            wanted = asked.amount(resource_class)
            passes &= find_room(hosts, resource_class, wanted)
        return passes

    def explain(self, request: BuildRequest) -> str:
        """Say how much was asked for."""
        return _explain(request.asked, _other_classes(request.asked))


def find_room(hosts: HostRows, resource_class: str, wanted: int) -> BoolArray:
    """Tell of each host whether ``wanted`` fits: there, or into what it shares."""
    own = find_own_room(hosts, resource_class, wanted)
    shared = hosts.find_shared(resource_class, wanted)
    return own if shared is None else own | shared


def divide_amounts(
    columns: HostColumns, host: str, amounts: Mapping[str, int]
) -> tuple[dict[str, int], SharedAmounts]:
    """Return what is taken of the host itself, and of what its aggregates share.

    What fits on the host is taken there, and what fits nowhere as well: the claim
    tells.
    """
    own = dict(amounts)
    if not columns.shared:
        return own, {}
    row = HostRows(columns, columns.find_rows([host]))
    aggregates = columns.aggregates_of(host)
    shared: dict[str, dict[str, int]] = {}
    for name, amount in amounts.items():
        if not amount or find_own_room(row, name, amount).all():
            continue
        provider = choose_room(columns.shared, aggregates, name, amount)
        if provider is not None:
            shared.setdefault(provider, {})[name] = own.pop(name)
    return own, shared


def find_own_room(hosts: HostRows, resource_class: str, wanted: int) -> BoolArray:
    """Tell of each host whether ``wanted`` fits there beside what is taken."""
    name = resource_class
    fits: BoolArray = hosts.room(name) >= wanted
    fits &= hosts.amount("min_unit", name) <= wanted
    fits &= hosts.amount("max_unit", name) >= wanted
    # A host without the class has step size 0 and max unit 0.
    fits &= wanted % np.maximum(hosts.amount("step_size", name), 1) == 0
    return fits


def _other_classes(asked: RequestClass) -> list[str]:
    return [name for name, _ in asked.amounts if name not in RESOURCE_CLASSES]


def _explain(asked: RequestClass, classes: Iterable[str]) -> str:
    wanted = ", ".join(f"{asked.amount(name)} {name}" for name in classes)
    return f"{wanted} are needed; the host has less free."
