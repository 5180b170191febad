"""Columns over hosts: one row a host, changed in place when the host changes.

Facts come from watched ComputeHosts and HostAggregates, amounts from the API
database; either may come first. A provider view older than the one in the row is
ignored, so views may arrive in any order. Every change is noted in a log, so that
whoever keeps something derived of the columns looks at changed rows alone.

A row that is removed is filled with the last one: the order of hosts is stable
between changes, and means nothing, as Placement's order of candidates.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from kilonova_operator.domain.inventory import ProviderView
from kilonova_operator.domain.scheduling.aggregates import (
    NO_AGGREGATES,
    AggregateFacts,
    AggregateSet,
)
from kilonova_operator.domain.scheduling.amount_columns import (
    Amount,
    AmountColumns,
    FloatArray,
    IntArray,
)
from kilonova_operator.domain.scheduling.change_log import ChangeLog
from kilonova_operator.domain.scheduling.codes import ABSENT, Codes
from kilonova_operator.domain.scheduling.facts import HostFacts, version_number
from kilonova_operator.domain.scheduling.image_counts import ImageCounts
from kilonova_operator.domain.scheduling.profile import CapabilityProfile
from kilonova_operator.domain.scheduling.shared_rooms import SharedRoom

__all__ = ["Amount", "BoolArray", "FloatArray", "HostColumns", "IntArray"]

BoolArray = npt.NDArray[np.bool_]

Flag = Literal["up", "held", "provided"]
Number = Literal[
    "agent_version",
    "hypervisor_version",
    "claims",
    "generation",
    "read_generation",
    "io_ops",
    "failed_builds",
]
Coded = Literal[
    "cell", "zone", "profile", "aggregates", "traits", "numa", "metrics", "address"
]

_FLAGS: tuple[Flag, ...] = get_args(Flag)
_NUMBERS: tuple[Number, ...] = get_args(Number)
_NOTHING: Mapping[Coded, Hashable] = {
    "cell": "",
    "zone": "",
    "profile": CapabilityProfile(),
    "aggregates": NO_AGGREGATES,
    "traits": frozenset(),
    "numa": None,
    "metrics": (),
    "address": "",
}
_FIRST_ROWS = 16


class HostColumns:
    """All hosts of all cells, as the scheduler sees them now."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.log = ChangeLog()
        """Rows of which anything changed."""
        self.facts_log = ChangeLog()
        """Rows of which more changed than what is used of them."""
        self.disabled_cells: frozenset[str] = frozenset()
        self.aggregates: frozenset[AggregateFacts] = frozenset()
        """Every aggregate there is, those without hosts included."""
        self.shared: tuple[SharedRoom, ...] = ()
        """What hosts of aggregates take from together."""
        self.image_counts = ImageCounts()
        """Fed where ImagePropertiesWeigher counts; empty otherwise."""
        self._rows: dict[str, int] = {}
        self._names: tuple[str, ...] | None = None
        self._room = _FIRST_ROWS
        self._flags = {name: np.zeros(self._room, np.bool_) for name in _FLAGS}
        self._numbers = {name: np.zeros(self._room, np.int64) for name in _NUMBERS}
        self._values: dict[Coded, Codes[Any]] = {
            name: Codes(nothing) for name, nothing in _NOTHING.items()
        }
        self._codes = {name: np.zeros(self._room, np.int64) for name in _NOTHING}
        self._amounts = AmountColumns(self._room)

    def __len__(self) -> int:
        return len(self.hosts)

    # Reading: every array has one entry a host and must not be changed.

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts by row: the same tuple until one is added or removed."""
        if self._names is None:
            self._names = tuple(self.hosts)
        return self._names

    def flag(self, name: Flag) -> BoolArray:
        """Return a yes-or-no column."""
        return self._flags[name][: len(self)]

    def number(self, name: Number) -> IntArray:
        """Return a column of numbers."""
        return self._numbers[name][: len(self)]

    def amount(self, name: Amount, resource_class: str) -> IntArray:
        """Return one figure of a resource class; ``used`` are claims alone."""
        return self._amounts.figure(name, resource_class, len(self))

    def ratio(self, resource_class: str) -> FloatArray:
        """Return the allocation ratios of a resource class."""
        return self._amounts.ratio(resource_class, len(self))

    def room(self, resource_class: str) -> FloatArray:
        """Return what capacity is left beside all that is taken; may be negative."""
        return self._amounts.room(resource_class, len(self))

    def codes(self, name: Coded) -> IntArray:
        """Return the number of each host's value of a shared quality."""
        return self._codes[name][: len(self)]

    def values(self, name: Coded) -> Codes[Any]:
        """Return the values behind ``codes``."""
        return self._values[name]

    def cell_of(self, host: str) -> str:
        """Return a host's cell; empty if it has none."""
        cell: str = self._value_of("cell", host)
        return cell

    def aggregates_of(self, host: str) -> AggregateSet:
        """Return a host's aggregates."""
        found: AggregateSet = self._value_of("aggregates", host)
        return found

    def zone_of(self, host: str) -> str:
        """Return a host's availability zone; empty if it has none."""
        zone: str = self._value_of("zone", host)
        return zone

    def find_row(self, host: str) -> int | None:
        """Return a host's row."""
        return self._rows.get(host)

    def find_rows(self, hosts: Iterable[str]) -> IntArray:
        """Return the rows of those hosts that are known."""
        found = (self._rows.get(host) for host in hosts)
        return np.array([row for row in found if row is not None], np.int64)

    # Changing.

    def set_disabled_cells(self, cells: Iterable[str]) -> None:
        """Say which cells take no new Servers."""
        disabled = frozenset(cells)
        if disabled != self.disabled_cells:
            self.disabled_cells = disabled
            self._note_everything()

    def set_aggregates(self, aggregates: Iterable[AggregateFacts]) -> None:
        """Say which aggregates there are; their hosts' facts name them as well."""
        known = frozenset(aggregates)
        if known != self.aggregates:
            self.aggregates = known
            self._note_everything()

    def set_shared(self, rooms: Iterable[SharedRoom]) -> None:
        """Say what hosts of aggregates take from together, and what is used of it."""
        known = tuple(rooms)
        if known != self.shared:
            self.shared = known
            self.log.note_everything()

    def set_facts(self, facts: HostFacts) -> None:
        """Replace what is known of a host but its amounts."""
        row = self._ensure_row(facts.host)
        self._flags["up"][row] = facts.up
        self._flags["held"][row] = facts.held
        self._numbers["agent_version"][row] = version_number(facts.agent_version)
        self._numbers["hypervisor_version"][row] = facts.profile.hypervisor_version
        coded: Mapping[Coded, Hashable] = {
            "cell": facts.cell or "",
            "zone": facts.zone or "",
            "profile": facts.profile,
            "aggregates": facts.aggregates,
            "traits": facts.traits,
            "metrics": facts.metrics,
            "address": facts.address,
        }
        changed = {
            name for name, value in coded.items() if self._set_code(name, row, value)
        }
        if "aggregates" in changed:
            self._note_everything()  # weights may count otherwise everywhere
        else:
            self._note_facts(row)

    def set_numa(self, host: str, topology: Hashable) -> None:
        """Replace a host's NUMA cells with what is used of them; None: unknown."""
        row = self._rows.get(host)
        if row is not None:
            self._set_code("numa", row, topology)
            self._note_facts(row)

    def set_number(self, host: str, name: Number, value: int) -> None:
        """Replace one number of a host, such as the builds under way on it."""
        row = self._rows.get(host)
        if row is not None and self._numbers[name][row] != value:
            self._numbers[name][row] = value
            self._note_facts(row)

    def set_provider(self, view: ProviderView) -> bool:
        """Replace a host's amounts; False if the row already knows newer ones."""
        row = self._ensure_row(view.host)
        if self._flags["provided"][row] and (
            view.generation < self._numbers["generation"][row]
        ):
            return False
        self._numbers["generation"][row] = view.generation
        self._numbers["read_generation"][row] = view.generation
        self._numbers["claims"][row] = view.claims
        is_first = not self._flags["provided"][row]
        self._flags["provided"][row] = True
        if self._amounts.set_view(row, view) or is_first:
            self._note_facts(row)
        else:
            self.log.note(row)
        return True

    def consume(self, host: str, amounts: Mapping[str, int]) -> None:
        """Count a claim that was made since the host's amounts were read."""
        self._count(host, amounts, sign=1)

    def give_back(self, host: str, amounts: Mapping[str, int]) -> None:
        """Count a release that was made since the host's amounts were read."""
        self._count(host, amounts, sign=-1)

    def settle(self, host: str, amounts: Mapping[str, int], generation: int) -> None:
        """Keep a consumed claim that was committed with this provider generation.

        Amounts that were read since then hold it already.
        """
        row = self._rows.get(host)
        if row is None:
            return
        if self._numbers["read_generation"][row] >= generation:
            self.give_back(host, amounts)
        elif self._numbers["generation"][row] < generation:
            self._numbers["generation"][row] = generation

    def remove(self, host: str) -> None:
        """Forget a host; may run twice."""
        row = self._rows.pop(host, None)
        if row is None:
            return
        self._names = None
        self.image_counts.forget(host)
        for name, codes in self._codes.items():
            self._values[name].give_back(int(codes[row]))
        last = len(self.hosts) - 1
        moved = self.hosts.pop()
        for array in self._arrays():
            array[row] = array[last]
        if row != last:
            self.hosts[row] = moved
            self._rows[moved] = row
        self._note_everything()

    def _count(self, host: str, amounts: Mapping[str, int], *, sign: int) -> None:
        row = self._rows.get(host)
        if row is None:
            return
        self._numbers["claims"][row] += sign
        self._amounts.count(row, amounts, sign=sign)
        self.log.note(row)

    def _note_facts(self, row: int) -> None:
        self.log.note(row)
        self.facts_log.note(row)

    def _note_everything(self) -> None:
        self.log.note_everything()
        self.facts_log.note_everything()

    def _value_of(self, name: Coded, host: str) -> Any:
        code = int(self._codes[name][self._rows[host]])
        return self._values[name].value(code)

    def _set_code(self, name: Coded, row: int, value: Hashable) -> bool:
        codes, values = self._codes[name], self._values[name]
        before = int(codes[row])
        if values.value(before) == value:
            return False
        codes[row] = values.take(value)
        values.give_back(before)
        return True

    def _ensure_row(self, host: str) -> int:
        row = self._rows.get(host)
        if row is not None:
            return row
        row = len(self.hosts)
        if row == self._room:
            self._grow()
        self.hosts.append(host)
        self._names = None
        self._rows[host] = row
        for array in self._arrays():
            array[row] = 0
        self._flags["held"][row] = True
        for name, codes in self._codes.items():
            values = self._values[name]
            codes[row] = values.take(values.value(ABSENT))
        self._note_everything()
        return row

    def _arrays(self) -> Iterable[npt.NDArray[Any]]:
        yield from self._flags.values()
        yield from self._numbers.values()
        yield from self._codes.values()
        yield from self._amounts.arrays()

    def _grow(self) -> None:
        more, self._room = self._room, self._room * 2
        self._flags = {k: np.pad(v, (0, more)) for k, v in self._flags.items()}
        self._numbers = {k: np.pad(v, (0, more)) for k, v in self._numbers.items()}
        self._codes = {k: np.pad(v, (0, more)) for k, v in self._codes.items()}
        self._amounts.grow(self._room)
