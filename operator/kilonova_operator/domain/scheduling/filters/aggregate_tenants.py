"""AggregateMultiTenancyIsolation: hosts that are kept for certain tenants."""

from kilonova_operator.domain.scheduling.aggregates import AggregateSet
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import (
    Always,
    FactsAlone,
    NoExtraSpecs,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_PREFIX = "filter_tenant_id"


class AggregateMultiTenancyIsolation(Always, FactsAlone, NoExtraSpecs):
    """Pass hosts whose aggregates name no tenants, or this one.

    Keys are ``filter_tenant_id`` and all that begin so; a tenant is a namespace.
    Source: nova.scheduler.filters.aggregate_multitenancy_isolation, Nova 34.
    """

    name = "AggregateMultiTenancyIsolation"
    runs_on_rebuild = False

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts that may run the tenant's guests."""

        def may_run(aggregates: AggregateSet) -> bool:
            tenants = _list_tenants(aggregates)
            return not tenants or asked.tenant in tenants

        return hosts.by_aggregates(may_run)

    def explain(self, request: BuildRequest) -> str:
        """Say for whom the host is not."""
        del request
        return "The host is kept for other namespaces."


def _list_tenants(aggregates: AggregateSet) -> frozenset[str]:
    keys = (key for key in aggregates.list_keys() if key.startswith(_PREFIX))
    return frozenset(tenant for key in keys for tenant in aggregates.words(key))
