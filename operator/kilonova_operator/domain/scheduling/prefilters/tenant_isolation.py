"""Only hosts of the tenant's own aggregates."""

from dataclasses import dataclass

from kilonova_operator.domain.scheduling.aggregates import AggregateFacts
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import (
    Always,
    FactsAlone,
    NoExtraSpecs,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

TENANT_KEY = "filter_tenant_id"


@dataclass(frozen=True, slots=True)
class TenantIsolation(Always, FactsAlone, NoExtraSpecs):
    """Leave out hosts beyond a tenant's own aggregates, where it has any.

    ``required``: a tenant without an aggregate gets no host at all. A tenant's
    aggregate that has no hosts counts as well: it leaves the tenant none.
    Source: nova.scheduler.request_filter.require_tenant_aggregate, Nova 34, with
    limit_tenants_to_placement_aggregate on.
    """

    required: bool = False
    name = "TenantIsolation"

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts of the tenant's aggregates."""
        tenant = asked.tenant
        has_own = any(_is_of(known, tenant) for known in hosts.all_aggregates)
        if not has_own and not self.required:
            return hosts.pass_all()
        return hosts.by_aggregates(
            lambda own: any(_is_of(aggregate, tenant) for aggregate in own.aggregates)
        )

    def explain(self, request: BuildRequest) -> str:
        """Say whose hosts are left."""
        del request
        return "Only hosts set apart for this namespace may be used."


def _is_of(aggregate: AggregateFacts, tenant: str) -> bool:
    """Tell whether some value is the tenant, and some key names tenants, as Nova."""
    pairs = aggregate.metadata
    return any(value == tenant for _, value in pairs) and any(
        key.startswith(TENANT_KEY) for key, _ in pairs
    )
