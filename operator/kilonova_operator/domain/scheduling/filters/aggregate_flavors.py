"""AggregateTypeAffinityFilter: hosts that are kept for certain flavors."""

from kilonova_operator.domain.scheduling.aggregates import AggregateSet
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import (
    Always,
    FactsAlone,
    NoExtraSpecs,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_KEY = "instance_type"


class AggregateTypeAffinityFilter(Always, FactsAlone, NoExtraSpecs):
    """Pass hosts whose aggregates name no flavors, or this one.

    Source: nova.scheduler.filters.type_filter, Nova 34.
    """

    name = "AggregateTypeAffinityFilter"
    runs_on_rebuild = False

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts that may run the flavor."""

        def may_run(aggregates: AggregateSet) -> bool:
            flavors = aggregates.words(_KEY)
            return not flavors or asked.flavor in flavors

        return hosts.by_aggregates(may_run)

    def explain(self, request: BuildRequest) -> str:
        """Name the flavor."""
        return f"The host is kept for other flavors than {request.asked.flavor}."
