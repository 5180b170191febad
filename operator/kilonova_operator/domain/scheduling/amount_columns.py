"""Columns of what hosts have and what is used of it, by resource class."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kilonova_operator.domain.inventory import (
    RESOURCE_CLASSES,
    Inventory,
    ProviderView,
)

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Amount = Literal[
    "total", "reserved", "min_unit", "max_unit", "step_size", "unmanaged", "used"
]

_SIZES: tuple[Amount, ...] = (
    "total",
    "reserved",
    "min_unit",
    "max_unit",
    "step_size",
    "unmanaged",
)
_ABSENT = Inventory(total=0, max_unit=0)


class AmountColumns:
    """Figures of every class that some host has, with room for so many hosts.

    A host without a class has nothing of it.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._figures: dict[tuple[Amount, str], IntArray] = {}
        self._ratios: dict[str, FloatArray] = {}
        self._room: dict[str, FloatArray] = {}
        for resource_class in RESOURCE_CLASSES:
            self._add_class(resource_class)

    def figure(self, name: Amount, resource_class: str, count: int) -> IntArray:
        """Return one figure of the first ``count`` hosts; ``used`` are claims alone."""
        column = self._figures.get((name, resource_class))
        return np.zeros(count, np.int64) if column is None else column[:count]

    def ratio(self, resource_class: str, count: int) -> FloatArray:
        """Return the allocation ratios of the first ``count`` hosts."""
        column = self._ratios.get(resource_class)
        return np.ones(count) if column is None else column[:count]

    def room(self, resource_class: str, count: int) -> FloatArray:
        """Return what capacity is left beside all that is taken; may be negative."""
        column = self._room.get(resource_class)
        return np.zeros(count) if column is None else column[:count]

    def set_view(self, row: int, view: ProviderView) -> bool:
        """Replace a host's figures; tell whether others than the use changed."""
        for resource_class in view.inventories.keys() - self._ratios.keys():
            self._add_class(resource_class)
        resized = False
        for resource_class in self._ratios:
            inventory = view.inventories.get(resource_class, _ABSENT)
            resized |= self._set_sizes(row, resource_class, inventory)
            used = view.used.get(resource_class, 0)
            self._figures["used", resource_class][row] = used
            # Exact: a whole number taken off a real one gives no new digits.
            left = inventory.capacity - (used + inventory.unmanaged)
            self._room[resource_class][row] = left
        return resized

    def count(self, row: int, amounts: Mapping[str, int], *, sign: int) -> None:
        """Count a claim, or with sign -1 a release."""
        for resource_class, amount in amounts.items():
            used = self._figures.get(("used", resource_class))
            if used is not None:
                used[row] += sign * amount
                self._room[resource_class][row] -= sign * amount

    def arrays(self) -> Iterable[npt.NDArray[Any]]:
        """Return every column, to move or clear rows in."""
        yield from self._figures.values()
        yield from self._ratios.values()
        yield from self._room.values()

    def grow(self, places: int) -> None:
        """Make room for more hosts."""
        more = places - self._places
        self._places = places
        self._figures = {k: np.pad(v, (0, more)) for k, v in self._figures.items()}
        self._ratios = {k: np.pad(v, (0, more)) for k, v in self._ratios.items()}
        self._room = {k: np.pad(v, (0, more)) for k, v in self._room.items()}

    def _set_sizes(self, row: int, resource_class: str, inventory: Inventory) -> bool:
        resized = False
        for name in _SIZES:
            column = self._figures[name, resource_class]
            figure = getattr(inventory, name)
            if column[row] != figure:
                column[row] = figure
                resized = True
        ratios = self._ratios[resource_class]
        if ratios[row] != inventory.allocation_ratio:
            ratios[row] = inventory.allocation_ratio
            resized = True
        return resized

    def _add_class(self, resource_class: str) -> None:
        for name in (*_SIZES, "used"):
            column = np.zeros(self._places, np.int64)
            self._figures[name, resource_class] = column
        self._ratios[resource_class] = np.ones(self._places)
        self._room[resource_class] = np.zeros(self._places)
