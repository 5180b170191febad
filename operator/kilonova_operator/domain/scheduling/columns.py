"""Columns over hosts: one row a host, changed in place when the host changes.

Rules read whole columns; nothing is rebuilt for a request. Facts come from
watched ComputeHosts, amounts from the API database; either may come first. A
provider view older than the one in the row is ignored, so views may arrive in
any order.

A row that is removed is filled with the last one: the order of hosts is stable
between changes, and means nothing, as Placement's order of candidates.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from kilonova_operator.domain.inventory import (
    RESOURCE_CLASSES,
    Inventory,
    ProviderView,
)
from kilonova_operator.domain.scheduling.facts import HostFacts, version_number
from kilonova_operator.domain.scheduling.profile import CapabilityProfile

T = TypeVar("T", bound=Hashable)

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

Flag = Literal["up", "held", "provided"]
Number = Literal["agent_version", "hypervisor_version", "claims", "generation"]
Amount = Literal[
    "total", "reserved", "min_unit", "max_unit", "step_size", "unmanaged", "used"
]

_FLAGS: tuple[Flag, ...] = ("up", "held", "provided")
_NUMBERS: tuple[Number, ...] = (
    "agent_version",
    "hypervisor_version",
    "claims",
    "generation",
)
_AMOUNTS: tuple[Amount, ...] = (
    "total",
    "reserved",
    "min_unit",
    "max_unit",
    "step_size",
    "unmanaged",
    "used",
)
_NO_CELL = ""
_ABSENT = Inventory(total=0, max_unit=0)
_FIRST_ROWS = 16


class Codes(Generic[T]):
    """Small numbers for values that many hosts share."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self._codes: dict[T, int] = {}

    def code(self, value: T) -> int:
        """Return the value's number, a new one if it was never seen."""
        if value not in self._codes:
            self._codes[value] = len(self.values)
            self.values.append(value)
        return self._codes[value]


class HostColumns:
    """All hosts of all cells, as the scheduler sees them now."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self._rows: dict[str, int] = {}
        self._cells: Codes[str] = Codes()
        self._profiles: Codes[CapabilityProfile] = Codes()
        self._disabled_cells: frozenset[str] = frozenset()
        self._room = _FIRST_ROWS
        self._flags = {name: np.zeros(self._room, np.bool_) for name in _FLAGS}
        self._numbers = {name: np.zeros(self._room, np.int64) for name in _NUMBERS}
        self._codes = {
            name: np.zeros(self._room, np.int64) for name in ("cell", "profile")
        }
        self._amounts = {
            (name, resource_class): np.zeros(self._room, np.int64)
            for name in _AMOUNTS
            for resource_class in RESOURCE_CLASSES
        }
        self._ratios = {
            resource_class: np.ones(self._room, np.float64)
            for resource_class in RESOURCE_CLASSES
        }

    def __len__(self) -> int:
        return len(self.hosts)

    # Reading: every array has one entry a host and must not be changed.

    def flag(self, name: Flag) -> BoolArray:
        """Return a yes-or-no column."""
        return self._flags[name][: len(self)]

    def number(self, name: Number) -> IntArray:
        """Return a column of numbers."""
        return self._numbers[name][: len(self)]

    def amount(self, name: Amount, resource_class: str) -> IntArray:
        """Return one figure of a resource class; ``used`` are claims alone."""
        return self._amounts[name, resource_class][: len(self)]

    def ratio(self, resource_class: str) -> FloatArray:
        """Return the allocation ratios of a resource class."""
        return self._ratios[resource_class][: len(self)]

    def taken(self, resource_class: str) -> IntArray:
        """Return claims and unmanaged use together."""
        return self.amount("used", resource_class) + self.amount(
            "unmanaged", resource_class
        )

    def in_cells(self, cells: Iterable[str]) -> BoolArray:
        """Tell which hosts are in one of the cells."""
        wanted = frozenset(cells)
        known = np.array([cell in wanted for cell in self._cells.values], np.bool_)
        return self._by_code("cell", known)

    @property
    def mapped(self) -> BoolArray:
        """Tell which hosts have a cell and an inventory."""
        return ~self.in_cells((_NO_CELL,)) & self.flag("provided")

    @property
    def cell_enabled(self) -> BoolArray:
        """Tell which hosts are in a cell that takes new Servers."""
        return ~self.in_cells(self._disabled_cells)

    @property
    def profiles(self) -> list[CapabilityProfile]:
        """Every profile some host has or had."""
        return self._profiles.values

    def by_profile(self, passes: Iterable[bool]) -> BoolArray:
        """Spread a judgement of each of ``profiles`` over the hosts."""
        return self._by_code("profile", np.fromiter(passes, np.bool_))

    def cell_of(self, host: str) -> str:
        """Return a host's cell; empty if it has none."""
        return self._cells.values[int(self._codes["cell"][self._rows[host]])]

    def find_row(self, host: str) -> int | None:
        """Return a host's row."""
        return self._rows.get(host)

    # Changing.

    def set_disabled_cells(self, cells: Iterable[str]) -> None:
        """Say which cells take no new Servers."""
        self._disabled_cells = frozenset(cells)

    def set_facts(self, facts: HostFacts) -> None:
        """Replace what is known of a host but its amounts."""
        row = self._ensure_row(facts.host)
        self._flags["up"][row] = facts.up
        self._flags["held"][row] = facts.held
        self._numbers["agent_version"][row] = version_number(facts.agent_version)
        self._numbers["hypervisor_version"][row] = facts.profile.hypervisor_version
        self._codes["cell"][row] = self._cells.code(facts.cell or _NO_CELL)
        self._codes["profile"][row] = self._profiles.code(facts.profile)

    def set_provider(self, view: ProviderView) -> bool:
        """Replace a host's amounts; False if the row already knows newer ones."""
        row = self._ensure_row(view.host)
        if self._flags["provided"][row] and (
            view.generation < self._numbers["generation"][row]
        ):
            return False
        self._flags["provided"][row] = True
        self._numbers["generation"][row] = view.generation
        self._numbers["claims"][row] = view.claims
        for resource_class in RESOURCE_CLASSES:
            inventory = view.inventories.get(resource_class, _ABSENT)
            for name in _AMOUNTS:
                figure = (
                    view.used.get(resource_class, 0)
                    if name == "used"
                    else getattr(inventory, name)
                )
                self._amounts[name, resource_class][row] = figure
            self._ratios[resource_class][row] = inventory.allocation_ratio
        return True

    def consume(self, host: str, amounts: Mapping[str, int]) -> None:
        """Count a claim that was made since the host's amounts were read."""
        self._count(host, amounts, sign=1)

    def give_back(self, host: str, amounts: Mapping[str, int]) -> None:
        """Count a release that was made since the host's amounts were read."""
        self._count(host, amounts, sign=-1)

    def _count(self, host: str, amounts: Mapping[str, int], *, sign: int) -> None:
        row = self._rows.get(host)
        if row is None:
            return
        self._numbers["claims"][row] += sign
        for resource_class, amount in amounts.items():
            used = self._amounts.get(("used", resource_class))
            if used is not None:
                used[row] += sign * amount

    def remove(self, host: str) -> None:
        """Forget a host; may run twice."""
        row = self._rows.pop(host, None)
        if row is None:
            return
        last = len(self.hosts) - 1
        moved = self.hosts.pop()
        for array in self._arrays():
            array[row] = array[last]
        if row != last:
            self.hosts[row] = moved
            self._rows[moved] = row

    def _ensure_row(self, host: str) -> int:
        row = self._rows.get(host)
        if row is not None:
            return row
        row = len(self.hosts)
        if row == self._room:
            self._grow()
        self.hosts.append(host)
        self._rows[host] = row
        self._clear(row)
        return row

    def _clear(self, row: int) -> None:
        for array in self._arrays():
            array[row] = 0
        self._flags["held"][row] = True
        self._codes["cell"][row] = self._cells.code(_NO_CELL)
        self._codes["profile"][row] = self._profiles.code(CapabilityProfile())

    def _by_code(self, name: str, passes: BoolArray) -> BoolArray:
        codes = self._codes[name][: len(self)]
        return passes[codes] if len(codes) else np.zeros(0, np.bool_)

    def _arrays(self) -> Iterable[npt.NDArray[np.generic]]:
        yield from self._flags.values()
        yield from self._numbers.values()
        yield from self._codes.values()
        yield from self._amounts.values()
        yield from self._ratios.values()

    def _grow(self) -> None:
        self._room *= 2
        self._flags = {k: _doubled(v) for k, v in self._flags.items()}
        self._numbers = {k: _doubled(v) for k, v in self._numbers.items()}
        self._codes = {k: _doubled(v) for k, v in self._codes.items()}
        self._amounts = {k: _doubled(v) for k, v in self._amounts.items()}
        self._ratios = {k: _doubled(v) for k, v in self._ratios.items()}


_S = TypeVar("_S", bound=np.generic)


def _doubled(array: npt.NDArray[_S]) -> npt.NDArray[_S]:
    return np.concatenate([array, np.zeros_like(array)])
