"""The end of a Server: delete recorded, claims released, finalizer off.

::

    record_delete (tombstone) -> the cell orders and proves -> release -> let go

Where the host is away, the finalizer comes off once its Instance carries the
destroy order; the row stays queued, and what it holds stays held, until the
host has proven the guest gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.names import CELL0, SERVER_FINALIZER
from kilonova_api.server import Server
from kilonova_operator.domain.placement import (
    HeldClaim,
    InstanceMapping,
    Released,
)
from kilonova_operator.domain.servers.guest_end import is_proven_gone
from kilonova_operator.domain.servers.server_ref import build_server_ref
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.control.waiting import Waiting
from kilonova_operator.services.servers.crd_health import CrdHealth
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.former_ends import find_end, is_end_answered
from kilonova_operator.services.servers.hosts import HostDirectory
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.servers.ranking import HostRanking
from kilonova_operator.services.stores import ApiStore, CellStore

_ASK_AGAIN = RetryAfter(5.0, most_seconds=120.0)
"""What is waited for wakes us, unless it gets lost; a host can be away for days."""
_FROZEN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Concluder:
    """Ends Servers in the API database and lets their objects go."""

    kube: KubeApi
    api: ApiStore
    cells: Mapping[str, CellStore]
    duty: Duty
    crds: CrdHealth
    instances: InstanceView
    hosts: HostDirectory
    ranking: HostRanking
    waiting: Waiting
    feeds: Feeds

    async def record(self, server: Server, *, retain: bool) -> RetryAfter | None:
        """Record that a Server is deleted, unless its CRD is being deleted.

        A deletionTimestamp that comes with the deletion of the CRD is nobody's
        wish for this Server: it is not believed.
        """
        if not await self.crds.believes_deletes():
            return RetryAfter(_FROZEN_SECONDS)
        self.duty.check_changes()
        ref = build_server_ref(server)
        mapping = await self.api.record_delete(self.duty.term(), ref, retain=retain)
        if mapping is None:
            await self.let_go(server)
            return None
        self._wake_cell(mapping)
        if retain:
            await self.let_go(server)
            return None
        return await self.settle(server, mapping)

    async def settle(
        self, server: Server | None, mapping: InstanceMapping
    ) -> RetryAfter | None:
        """Release what is proven gone; let the object go when nothing is left."""
        self.duty.check_changes()
        if mapping.cell == CELL0 or mapping.host is None:
            await self.api.finish_delete(self.duty.term(), mapping.server.uid)
            await self._finish(server, mapping)
            return None
        if await self._release(mapping):
            await self._finish(server, mapping)
            return None
        if server is not None and await self._may_wait_without_object(mapping):
            await self.let_go(server)
            return None
        self._wake_cell(mapping)
        return _ASK_AGAIN

    async def release_former(self, mapping: InstanceMapping) -> RetryAfter | None:
        """Release placements that a newer one replaced, once proven gone."""
        if mapping.placement_generation <= 1:
            return None  # there was none before
        left = [
            held
            for held in await self.api.list_claims(mapping.server.uid)
            if held.placement_generation < mapping.placement_generation
        ]
        for held in left:
            if await self._former_is_gone(mapping, held):
                await self._give_back(mapping, held.placement_generation)
        if left:
            self._wake_cell(mapping)
        return _ASK_AGAIN if left else None

    async def let_go(self, server: Server) -> None:
        """Take our finalizer off that very object."""
        self.duty.check()
        meta = server.metadata
        self.waiting.forget(Key.of(meta.namespace, meta.name))
        await self.kube.remove_finalizer(
            Server.resource(),
            {
                "metadata": {
                    "name": meta.name,
                    "namespace": meta.namespace,
                    "uid": meta.uid,
                    "resourceVersion": meta.resource_version,
                    "finalizers": list(meta.finalizers),
                }
            },
            SERVER_FINALIZER,
        )

    async def _finish(self, server: Server | None, mapping: InstanceMapping) -> None:
        if server is not None:
            await self.let_go(server)
        # Another Server may wait for this one's name, address or room.
        self._wake_cell(mapping)
        self.waiting.capacity_changed()

    async def _release(self, mapping: InstanceMapping) -> bool:
        """Release every placement that is proven gone; tell whether none is left."""
        uid = mapping.server.uid
        held = await self.api.list_claims(uid)
        if not held:
            return await self.api.finish_delete(self.duty.term(), uid)
        finished = False
        for claim in held:
            newest = claim.placement_generation >= mapping.placement_generation
            gone = (
                await self._cell_says_gone(mapping)
                if newest
                else await self._former_is_gone(mapping, claim)
            )
            if gone:
                released = await self._give_back(mapping, claim.placement_generation)
                finished = released.finished
        return finished

    async def _cell_says_gone(self, mapping: InstanceMapping) -> bool:
        cell = self.cells.get(mapping.cell)
        if cell is None:
            return False
        booking = await cell.find_instance(mapping.instance_uuid)
        return is_proven_gone(booking, mapping)

    async def _former_is_gone(self, mapping: InstanceMapping, held: HeldClaim) -> bool:
        cell = self.cells.get(mapping.cell)
        if cell is None:
            return False
        return is_end_answered(await find_end(cell, mapping, held))

    async def _give_back(self, mapping: InstanceMapping, generation: int) -> Released:
        released = await self.api.release(
            self.duty.term(), mapping.server.uid, generation
        )
        self.ranking.given_back(released)
        self.waiting.capacity_changed()
        return released

    async def _may_wait_without_object(self, mapping: InstanceMapping) -> bool:
        """Tell whether only hosts that are away are missing, all of them told."""
        told = self.instances.of_server(mapping.server.uid)
        current = any(i.spec.host == mapping.host for i in told)
        return current and all(
            i.spec.destroy is not None and self.hosts.is_away(i.spec.host) for i in told
        )

    def _wake_cell(self, mapping: InstanceMapping) -> None:
        key = Key.of(mapping.server.namespace, mapping.server.name)
        self.feeds.publish_to(Feed(FeedKind.SERVERS, mapping.cell), key)
