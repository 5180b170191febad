"""What rules read: columns of all hosts, or of some of them.

A rule sees the same interface either way. So what a rule said of ten thousand hosts
is kept, and it is asked again only for those that changed.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from kilonova_operator.domain.scheduling.aggregates import AggregateFacts, AggregateSet
from kilonova_operator.domain.scheduling.columns import (
    Amount,
    BoolArray,
    Coded,
    Flag,
    FloatArray,
    HostColumns,
    IntArray,
    Number,
)
from kilonova_operator.domain.scheduling.profile import CapabilityProfile
from kilonova_operator.domain.scheduling.shared_rooms import (
    find_aggregates_with_room,
)

_ALL = slice(None)


class HostRows:
    """Some hosts, shape (R,) each column; must not be changed."""

    def __init__(self, columns: HostColumns, rows: IntArray | None = None) -> None:
        self._columns = columns
        self._rows: IntArray | slice = _ALL if rows is None else rows
        self._length = len(columns) if rows is None else len(rows)

    def __len__(self) -> int:
        return self._length

    @property
    def names(self) -> Sequence[str]:
        """The hosts' names, in the order of the columns."""
        hosts = self._columns.hosts
        if isinstance(self._rows, slice):
            return hosts
        return [hosts[row] for row in self._rows.tolist()]

    def some(self, rows: IntArray) -> "HostRows":
        """Return some of these hosts, by their places among them."""
        own = rows if isinstance(self._rows, slice) else self._rows[rows]
        return HostRows(self._columns, own)

    def flag(self, name: Flag) -> BoolArray:
        """Return a yes-or-no column."""
        return self._columns.flag(name)[self._rows]

    def number(self, name: Number) -> IntArray:
        """Return a column of numbers."""
        return self._columns.number(name)[self._rows]

    def amount(self, name: Amount, resource_class: str) -> IntArray:
        """Return one figure of a resource class; ``used`` are claims alone."""
        return self._columns.amount(name, resource_class)[self._rows]

    def ratio(self, resource_class: str) -> FloatArray:
        """Return the allocation ratios of a resource class."""
        return self._columns.ratio(resource_class)[self._rows]

    def room(self, resource_class: str) -> FloatArray:
        """Return what capacity is left beside all that is taken; may be negative."""
        return self._columns.room(resource_class)[self._rows]

    def taken(self, resource_class: str) -> IntArray:
        """Return claims and unmanaged use together."""
        return self.amount("used", resource_class) + self.amount(
            "unmanaged", resource_class
        )

    def list_of_profiles(self, read: Callable[[CapabilityProfile], Any]) -> list[Any]:
        """List a quality of each host's profile, read once of each profile."""
        values, codes = self._columns.values("profile"), self._codes("profile")
        known = {code: read(values.value(code)) for code in set(codes)}
        return [known[code] for code in codes]

    def list_addresses(self) -> list[str]:
        """List each host's own address; "" where it reports none."""
        values = self._columns.values("address")
        return [values.value(code) for code in self._codes("address")]

    def list_numa(self) -> list[Any]:
        """List each host's state of NUMA cells; None where it reports none."""
        values = self._columns.values("numa")
        return [values.value(code) for code in self._codes("numa")]

    def pass_all(self) -> BoolArray:
        """Return a judgement that every host passes."""
        return np.ones(len(self), np.bool_)

    def in_cells(self, cells: Iterable[str]) -> BoolArray:
        """Tell which hosts are in one of the cells."""
        wanted = frozenset(cells)
        return self._judge("cell", lambda cell: cell in wanted)

    @property
    def mapped(self) -> BoolArray:
        """Tell which hosts have a cell and an inventory."""
        return ~self.in_cells(("",)) & self.flag("provided")

    @property
    def cell_enabled(self) -> BoolArray:
        """Tell which hosts are in a cell that takes new Servers."""
        return ~self.in_cells(self._columns.disabled_cells)

    def by_profile(self, judge: Callable[[CapabilityProfile], bool]) -> BoolArray:
        """Judge each profile once, and spread it over its hosts."""
        return self._judge("profile", judge)

    def by_aggregates(self, judge: Callable[[AggregateSet], bool]) -> BoolArray:
        """Judge each set of aggregates once, and spread it over its hosts."""
        return self._judge("aggregates", judge)

    def by_traits(self, judge: Callable[[frozenset[str]], bool]) -> BoolArray:
        """Judge each set of traits once, and spread it over its hosts."""
        return self._judge("traits", judge)

    def by_zone(self, judge: Callable[[str], bool]) -> BoolArray:
        """Judge each availability zone once; "" where a host has none."""
        return self._judge("zone", judge)

    def by_address(self, judge: Callable[[str], bool]) -> BoolArray:
        """Judge each host's own address; "" where a host reports none."""
        return self._judge("address", judge)

    def by_numa(self, judge: Callable[[Any], bool]) -> BoolArray:
        """Judge each state of NUMA cells once; None where a host reports none."""
        return self._judge("numa", judge)

    def by_metrics(self, judge: Callable[[tuple[Any, ...]], bool]) -> BoolArray:
        """Judge each set of metrics once."""
        return self._judge("metrics", judge)

    def weigh_aggregates(self, weigh: Callable[[AggregateSet], float]) -> FloatArray:
        """Give each set of aggregates a number, and spread it over its hosts."""
        return self._weigh("aggregates", weigh)

    def weigh_metrics(self, weigh: Callable[[tuple[Any, ...]], float]) -> FloatArray:
        """Give each set of metrics a number, and spread it over its hosts."""
        return self._weigh("metrics", weigh)

    def find_shared(self, resource_class: str, amount: int) -> BoolArray | None:
        """Tell which hosts may take so much of what their aggregates share.

        None where nobody shares so much of the class.
        """
        names = find_aggregates_with_room(self._columns.shared, resource_class, amount)
        if not names:
            return None
        return self.by_aggregates(
            lambda known: any(a.name in names for a in known.aggregates)
        )

    @property
    def all_aggregates(self) -> frozenset[AggregateFacts]:
        """Every aggregate there is, those without hosts included."""
        return self._columns.aggregates

    @property
    def aggregate_keys(self) -> frozenset[str]:
        """Metadata keys of any aggregate that has hosts, of all hosts."""
        known = self._columns.values("aggregates").values()
        return frozenset(key for known_set in known for key in known_set.list_keys())

    def _codes(self, name: Coded) -> list[int]:
        return list(self._columns.codes(name)[self._rows].tolist())

    def _judge(self, name: Coded, judge: Callable[[Any], bool]) -> BoolArray:
        codes = self._columns.codes(name)[self._rows]
        return self._columns.values(name).spread(codes, judge, np.bool_)

    def _weigh(self, name: Coded, weigh: Callable[[Any], float]) -> FloatArray:
        codes = self._columns.codes(name)[self._rows]
        return self._columns.values(name).spread(codes, weigh, np.float64)
