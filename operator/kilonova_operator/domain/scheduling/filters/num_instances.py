"""NumInstancesFilter and AggregateNumInstancesFilter: not too many guests."""

from dataclasses import dataclass

from kilonova_operator.domain.scheduling.aggregates import AggregateSet
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import Always, NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_KEY = "max_instances_per_host"


@dataclass(frozen=True, slots=True)
class NumInstancesFilter(Always, NoExtraSpecs):
    """Pass hosts with fewer guests than the limit.

    Source: nova.scheduler.filters.num_instances_filter, Nova 34.
    """

    max_instances_per_host: int = 50
    name = "NumInstancesFilter"
    runs_on_rebuild = False

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts below the limit."""
        del asked
        passes: BoolArray = hosts.number("claims") < self.max_instances_per_host
        return passes

    def explain(self, request: BuildRequest) -> str:
        """Say the limit."""
        del request
        return f"The host has {self.max_instances_per_host} guests or more."


@dataclass(frozen=True, slots=True)
class AggregateNumInstancesFilter(Always, NoExtraSpecs):
    """The same, where the lowest limit of a host's aggregates goes first.

    Without any, or with one that is no number, the site's holds.
    """

    max_instances_per_host: int = 50
    name = "AggregateNumInstancesFilter"
    runs_on_rebuild = False

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts below their own limit."""
        del asked
        limits = hosts.weigh_aggregates(self._find_limit)
        passes: BoolArray = hosts.number("claims") < limits
        return passes

    def explain(self, request: BuildRequest) -> str:
        """Say what is full."""
        del request
        return "The host has as many guests as its aggregates allow."

    def _find_limit(self, aggregates: AggregateSet) -> float:
        return aggregates.find_lowest(_KEY, int, of_site=self.max_instances_per_host)
