"""IoOpsFilter and AggregateIoOpsFilter: not too many disk-heavy tasks."""

from dataclasses import dataclass

from kilonova_operator.domain.scheduling.aggregates import AggregateSet
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import (
    Always,
    FactsAlone,
    NoExtraSpecs,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_KEY = "max_io_ops_per_host"


@dataclass(frozen=True, slots=True)
class IoOpsFilter(Always, FactsAlone, NoExtraSpecs):
    """Pass hosts with fewer disk-heavy tasks than the limit.

    Source: nova.scheduler.filters.io_ops_filter, Nova 34.
    """

    max_io_ops_per_host: int = 8
    name = "IoOpsFilter"
    runs_on_rebuild = False

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts below the limit."""
        del asked
        passes: BoolArray = hosts.number("io_ops") < self.max_io_ops_per_host
        return passes

    def explain(self, request: BuildRequest) -> str:
        """Say the limit."""
        del request
        return f"The host has {self.max_io_ops_per_host} disk-heavy tasks or more."


@dataclass(frozen=True, slots=True)
class AggregateIoOpsFilter(Always, FactsAlone, NoExtraSpecs):
    """The same, where the lowest limit of a host's aggregates goes first.

    Without any, or with one that is no number, the site's holds.
    """

    max_io_ops_per_host: int = 8
    name = "AggregateIoOpsFilter"
    runs_on_rebuild = False

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts below their own limit."""
        del asked
        limits = hosts.weigh_aggregates(self._find_limit)
        passes: BoolArray = hosts.number("io_ops") < limits
        return passes

    def explain(self, request: BuildRequest) -> str:
        """Say what is full."""
        del request
        return "The host has as many disk-heavy tasks as its aggregates allow."

    def _find_limit(self, aggregates: AggregateSet) -> float:
        return aggregates.find_lowest(_KEY, int, of_site=self.max_io_ops_per_host)
