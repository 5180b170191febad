"""One Network or ClusterNetwork, from its first sight to its end.

A finalizer of ours is on it before it gets a range, and goes after the range is
given back: so no range leaks, however long the operator is away. Guests keep
their addresses in a network that is being deleted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import Key, KubeObject
from kilonova_api.names import GROUP
from kilonova_api.network import ClusterNetwork, Network
from kilonova_operator.domain.addressing import (
    AddressCount,
    NetworkRange,
    NetworkRequest,
)
from kilonova_operator.domain.conditions import (
    Judgement,
    ready,
    reconciling,
    stalled,
)
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.networks.network_status import build_network_status
from kilonova_operator.domain.networks.requests import (
    RangeForbidden,
    RangeInvalid,
    network_id_of,
)
from kilonova_operator.domain.refusals import NetworkInUse, PoolExhausted, RangeInUse
from kilonova_operator.services.control.feeds import FeedKind
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.networks.refused import RefusedNetworks
from kilonova_operator.services.stores import ApiStore
from kilonova_operator.storage.kubernetes.finalizers import ensure_finalizer
from kilonova_operator.storage.kubernetes.statuses import StatusWriter

NETWORK_FINALIZER = f"{GROUP}/network"
REFUSALS = (RangeInUse, PoolExhausted, RangeForbidden, RangeInvalid)
# Nothing tells that the last address was given back.
LOOK_AGAIN = RetryAfter(30.0)

N = TypeVar("N", Network, ClusterNetwork)


@dataclass(frozen=True, slots=True)
class NetworkReconciler(Generic[N]):
    """Gives ranges and takes them back, for one of the two kinds."""

    kube: KubeApi
    model: type[N]
    build_request: Callable[[N], NetworkRequest]
    store: ApiStore
    term: Callable[[], Term]
    statuses: StatusWriter
    pacer: CountPacer
    clock: Clock
    kind: FeedKind
    refused: RefusedNetworks

    async def reconcile(self, key: Key) -> RetryAfter | None:
        """Bring one network closer to what is asked for."""
        namespace = key.namespace or None
        found = await self.kube.find(self.model.resource(), namespace, key.name)
        if found is None:
            return None
        network = self.model.model_validate(found)
        if network.metadata.deletion_timestamp is not None:
            return await self._end(network, found)
        held = await ensure_finalizer(
            self.kube, self.model.resource(), found, NETWORK_FINALIZER
        )
        return await self._give(self.model.model_validate(held))

    async def _give(self, network: N) -> RetryAfter | None:
        try:
            range_ = await self.store.ensure_network(
                self.term(), self.build_request(network)
            )
        except REFUSALS as refused:
            if isinstance(refused, RangeInUse | PoolExhausted):
                namespace = network.metadata.namespace
                self.refused.note(self.kind, Key.of(namespace, network.metadata.name))
            return await self._tell(
                network, stalled(refused.reason, str(refused)), None
            )
        return await self._tell(network, ready("RangeGiven"), range_)

    async def _end(self, network: N, found: KubeObject) -> RetryAfter | None:
        if NETWORK_FINALIZER not in network.metadata.finalizers:
            return None
        try:
            await self.store.release_network(self.term(), network_id_of(network))
        except NetworkInUse as used:
            held = await self.store.find_network(network_id_of(network))
            await self._tell(network, reconciling(used.reason, str(used)), held)
            return LOOK_AGAIN
        self.pacer.forget(network.metadata.uid)
        self.refused.range_freed()
        await self.kube.remove_finalizer(
            self.model.resource(), found, NETWORK_FINALIZER
        )
        return None

    async def _tell(
        self, network: N, judgement: Judgement, range_: NetworkRange | None
    ) -> RetryAfter | None:
        uid, shown = network.metadata.uid, network.status.used
        used = await self._count(range_)
        differs = range_ is not None and str(used) != shown
        wait_seconds = self.pacer.left_seconds(uid) if differs else 0.0
        status = build_network_status(
            network,
            judgement,
            range_,
            shown if wait_seconds else used,
            now=self.clock.utcnow(),
        )
        written = await self.statuses.write(network, status)
        if written and differs and not wait_seconds:
            self.pacer.note_written(uid)
        return RetryAfter(wait_seconds) if wait_seconds else None

    async def _count(self, range_: NetworkRange | None) -> AddressCount | None:
        if range_ is None:
            return None
        return await self.store.count_addresses(range_.network_id)
