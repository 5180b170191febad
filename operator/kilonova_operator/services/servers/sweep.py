"""What no event tells: rows, bookings and Instances whose Server is gone.

A process that died between two writes leaves a row that is queued for delete,
or a booking that super has released; their objects are away and wake nobody.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kilonova_api.instance import Instance
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.placement import InstanceMapping
from kilonova_operator.domain.servers.guest_end import GONE
from kilonova_operator.services.control.feeds import FeedKind, Feeds
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.held_deletions import HeldDeletions
from kilonova_operator.services.servers.lost_servers import LostServers
from kilonova_operator.services.servers.vanished import VanishedServers
from kilonova_operator.services.stores import ApiStore, CellStore

SWEEP_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class SuperSweep:
    """Wakes the names of rows that have no living object; forgets those of cell0."""

    api: ApiStore
    feeds: Feeds
    server_uids: Callable[[], frozenset[str]]
    lost: LostServers
    vanished: VanishedServers

    async def reconcile(self, cell: Key) -> RetryAfter | None:
        """Look at every row of one cell."""
        living = self.server_uids()
        lost: list[InstanceMapping] = []
        after = ""
        while rows := await self.api.list_mappings(cell=cell.name, after=after):
            after = rows[-1].server.uid
            for row in rows:
                if row.server.uid not in living:
                    await self.vanished.forget(row)
                if row.queued_for_delete or row.server.uid not in living:
                    self._wake(row)
                    if await self.lost.is_lost(row):
                        lost.append(row)
        await self.lost.tell(cell.name, lost)
        return RetryAfter(SWEEP_SECONDS)

    def _wake(self, row: InstanceMapping) -> None:
        key = Key.of(row.server.namespace, row.server.name)
        self.feeds.publish(FeedKind.SERVERS, key, cell=row.cell)


@dataclass(frozen=True, slots=True)
class CellSweep:
    """Forgets bookings that are over; wakes the names of strays and losses."""

    cell: str
    api: ApiStore
    store: CellStore
    duty: Duty
    held: HeldDeletions
    feeds: Feeds
    instances: Callable[[], Iterable[Instance]]
    server_uids: Callable[[], frozenset[str]]

    async def reconcile(self, cell: Key) -> RetryAfter | None:
        """Look at every booking and Instance of this cell."""
        if cell.name != self.cell:
            return None
        await self.held.refresh()
        known = {i.metadata.name for i in self.instances() if self._is_ours(i)}
        await self._sweep_bookings(known)
        living = self.server_uids()
        for instance in self.instances():
            identity = instance.spec.server
            if self._is_ours(instance) and identity.uid not in living:
                self._wake(Key.of(identity.namespace, identity.name))
        return RetryAfter(SWEEP_SECONDS)

    async def _sweep_bookings(self, known: set[str]) -> None:
        after = ""
        while bookings := await self.store.list_instances(after=after):
            after = bookings[-1].instance_uuid
            for booking in bookings:
                if booking.instance_uuid in known:
                    continue
                if booking.state == GONE and await self._is_over(booking.server.uid):
                    self.duty.check_changes()
                    await self.store.forget_instance(
                        self.duty.term(), booking.instance_uuid
                    )
                else:
                    server = booking.server
                    self._wake(Key.of(server.namespace, server.name))

    async def _is_over(self, server_uid: str) -> bool:
        return await self.api.find_mapping(server_uid) is None

    def _is_ours(self, instance: Instance) -> bool:
        return instance.spec.cell == self.cell

    def _wake(self, key: Key) -> None:
        self.feeds.publish(FeedKind.SERVERS, key, cell=self.cell)
