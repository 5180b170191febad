"""One HostAggregate: its hosts, what it shares, and what stands in its way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.names import CELL0
from kilonova_operator.domain.aggregate_status import (
    AggregateMember,
    build_aggregate_status,
)
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.refusals import ProviderInUse
from kilonova_operator.services.aggregates.index import AggregateIndex
from kilonova_operator.services.aggregates.shared import REFUSALS, SharedResources
from kilonova_operator.services.control.counted_status import CountedStatus
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.servers.hosts import HostIndex

_COUNTS = frozenset({"hosts"})
# Nothing tells that a claim was given back.
_LOOK_AGAIN = RetryAfter(30.0, most_seconds=600.0)
SWEEP_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class AggregateReconciler:
    """Keeps aggregates' statuses and sharing providers right."""

    kube: KubeApi
    index: AggregateIndex
    hosts: HostIndex
    shared: SharedResources
    status: CountedStatus
    now: Callable[[], datetime]

    async def reconcile(self, key: Key) -> RetryAfter | None:
        """Bring one aggregate up to date."""
        found = await self.kube.find(HostAggregate.resource(), None, key.name)
        if found is None:
            return await self._end(key.name)
        aggregate = HostAggregate.model_validate(found)
        if aggregate.metadata.deletion_timestamp is not None:
            return None
        refused = await self._share(aggregate)
        status = build_aggregate_status(
            aggregate, self._list_members(aggregate), refused, now=self.now()
        )
        again = await self.status.write(aggregate, status, counts=_COUNTS)
        return again or (_LOOK_AGAIN if refused is not None else None)

    async def sweep(self, cell: Key) -> RetryAfter | None:
        """Remove what aggregates shared that went unseen, once for all cells."""
        if cell.name != CELL0:
            return None
        for name in await self.shared.list_aggregates():
            if await self.kube.find(HostAggregate.resource(), None, name) is None:
                await self._end(name)
        return RetryAfter(SWEEP_SECONDS)

    async def _end(self, name: str) -> RetryAfter | None:
        try:
            await self.shared.remove(name)
        except ProviderInUse:
            return _LOOK_AGAIN  # its guests outlive it
        return None

    async def _share(self, aggregate: HostAggregate) -> KilonovaError | None:
        try:
            await self.shared.ensure(aggregate)
        except REFUSALS as refused:
            return refused
        return None

    def _list_members(self, aggregate: HostAggregate) -> list[AggregateMember]:
        return [
            AggregateMember(host, self._zones_of(name))
            for name in self.index.hosts_of(aggregate)
            if (host := self.hosts.find(Key("", name))) is not None
        ]

    def _zones_of(self, host: str) -> frozenset[str]:
        zones = (a.spec.availability_zone for a in self.index.of_host(host))
        return frozenset(zone for zone in zones if zone is not None)
