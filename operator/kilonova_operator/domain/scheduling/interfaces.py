"""What a scheduling rule is. A new rule is a new file and a line in ``defaults``."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from kilonova_operator.domain.scheduling.columns import (
    BoolArray,
    FloatArray,
    HostColumns,
    IntArray,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


class Rule(Protocol):
    """A constraint; what it says of a host counts once, if it is the first."""

    @property
    def name(self) -> str:
        """The constraint, as decision records count it."""
        ...

    def explain(self, request: BuildRequest) -> str:
        """Say in one sentence what the request asked for and some hosts lack."""
        ...


@runtime_checkable
class ClassRule(Rule, Protocol):
    """Judges hosts for all requests of a class together."""

    def applies(self, asked: RequestClass) -> bool:
        """Tell whether any host could fail; False spares the looking."""
        ...

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Return one entry a host; True passes."""
        ...

    def understands(self, extra_spec: str) -> bool:
        """Tell whether this rule gives the extra spec its meaning."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """Rows that one request's rule leaves out, or the only ones it leaves in."""

    rows: IntArray
    only: bool = False

    def find_failing(self, count: int) -> BoolArray:
        """Return which of ``count`` rows fail."""
        failing = np.full(count, self.only)
        failing[self.rows] = not self.only
        return failing


@runtime_checkable
class RequestRule(Rule, Protocol):
    """Judges hosts for one request: its group, its hints, what it tried before."""

    def judge(self, columns: HostColumns, request: BuildRequest) -> Verdict | None:
        """Return the rows that fail; None: all pass."""
        ...


class Filter(Rule, Protocol):
    """A rule of the site, in Nova's sense: left out for a forced host."""

    @property
    def runs_on_rebuild(self) -> bool:
        """Whether it also judges the host of a guest that is rebuilt there."""
        ...


class ClassFilter(ClassRule, Filter, Protocol):
    """A filter that judges a class of requests."""


class RequestFilter(RequestRule, Filter, Protocol):
    """A filter that judges one request."""


class Weigher(Protocol):
    """One reason to prefer a host."""

    @property
    def name(self) -> str:
        """The weigher's name in Nova."""
        ...

    @property
    def multiplier(self) -> float:
        """How much it counts, as configured; negative turns it round."""
        ...

    @property
    def multiplier_key(self) -> str:
        """Aggregate metadata key that overrides the multiplier on its hosts."""
        ...

    @property
    def sign(self) -> float:
        """-1 turns the multiplier round, an aggregate's as well; usually 1."""
        ...

    @property
    def minval(self) -> float | None:
        """Lower end of the scale; None: the smallest raw weight of the hosts."""
        ...


@runtime_checkable
class HostWeigher(Weigher, Protocol):
    """Weighs a host for whatever is asked."""

    def weigh(self, hosts: HostRows) -> FloatArray:
        """Return raw weights, one a host; more is better."""
        ...


@runtime_checkable
class RequestWeigher(Weigher, Protocol):
    """Weighs hosts for one request."""

    def weigh_for(
        self, columns: HostColumns, request: BuildRequest
    ) -> FloatArray | None:
        """Return raw weights, one a host; None: all are equal and 0."""
        ...


class FactsAlone:
    """For rules and weighers that read nothing of what claims change."""

    reads_use = False


def reads_use(rule: object) -> bool:
    """Tell whether a claim on a host may change what the rule says of it."""
    return bool(getattr(rule, "reads_use", True))


class NoExtraSpecs:
    """For rules that read no extra spec."""

    def understands(self, extra_spec: str) -> bool:
        """Tell that no extra spec belongs to this rule."""
        return False


class Always:
    """For rules that may fail a host whatever is asked."""

    def applies(self, asked: RequestClass) -> bool:
        """Tell that it has to look."""
        return True
