"""No hosts of aggregates that are kept for what needs a certain trait."""

from kilonova_operator.domain.scheduling.aggregates import AggregateSet
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import (
    Always,
    FactsAlone,
    NoExtraSpecs,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_SCOPE = "trait:"
_REQUIRED = "required"


class IsolatedAggregates(Always, FactsAlone, NoExtraSpecs):
    """Leave out aggregates whose ``trait:NAME=required`` the request does not ask for.

    Source: nova.scheduler.request_filter.isolate_aggregates, Nova 34, with
    enable_isolated_aggregate_filtering on.
    """

    name = "IsolatedAggregates"

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts of which no aggregate asks for another trait."""
        wanted = asked.required_traits
        return hosts.by_aggregates(lambda own: _kept_for(own) <= wanted)

    def explain(self, request: BuildRequest) -> str:
        """Say what the hosts are kept for."""
        del request
        return "The host is kept for Servers that require a trait this one does not."


def _kept_for(aggregates: AggregateSet) -> frozenset[str]:
    return frozenset(
        key.removeprefix(_SCOPE)
        for aggregate in aggregates.aggregates
        for key, value in aggregate.metadata
        if key.startswith(_SCOPE) and value == _REQUIRED
    )
