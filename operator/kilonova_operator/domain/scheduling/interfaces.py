"""What a scheduling rule is. A new rule is a new file and a line in ``defaults``."""

from typing import Protocol

from kilonova_operator.domain.scheduling.columns import (
    BoolArray,
    FloatArray,
    HostColumns,
)
from kilonova_operator.domain.scheduling.request import BuildRequest


class PreFilter(Protocol):
    """What must hold of a host in any case, an admin's forced choice included.

    Stands for Nova's request filters and Placement's query.
    """

    @property
    def name(self) -> str:
        """The constraint, as decision records count it."""
        ...

    def mask(self, hosts: HostColumns, request: BuildRequest) -> BoolArray:
        """Return one entry a host; True passes."""
        ...

    def explain(self, request: BuildRequest) -> str:
        """Say in one sentence what the request asked for and some hosts lack."""
        ...

    def understands(self, extra_spec: str) -> bool:
        """Tell whether this rule gives the extra spec its meaning."""
        ...


class Filter(PreFilter, Protocol):
    """A rule of the site, in Nova's sense: left out for a forced host."""

    @property
    def runs_on_rebuild(self) -> bool:
        """Whether it also judges the host of a guest that is rebuilt there."""
        ...


class Weigher(Protocol):
    """One reason to prefer a host."""

    @property
    def name(self) -> str:
        """The weigher's name in Nova."""
        ...

    @property
    def multiplier(self) -> float:
        """How much it counts; negative turns it round."""
        ...

    @property
    def minval(self) -> float | None:
        """Lower end of the scale; None: the smallest raw weight of the hosts."""
        ...

    def weigh(self, hosts: HostColumns, request: BuildRequest) -> FloatArray:
        """Return raw weights, one a host; more is better."""
        ...


class NoExtraSpecs:
    """For rules that read no extra spec."""

    def understands(self, extra_spec: str) -> bool:
        """Tell that no extra spec belongs to this rule."""
        return False
