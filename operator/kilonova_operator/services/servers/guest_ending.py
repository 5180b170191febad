"""The end of a guest in its cell: ordered, proven, told to super.

::

    destroy order -> agent destroys and deletes the Instance -> "gone" is booked
    -> super releases -> the booking is forgotten
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kilonova_api.instance_spec import DestroyOrder, InstanceSpec
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.order_book import Booking
from kilonova_operator.domain.placement import InstanceMapping
from kilonova_operator.domain.servers.actions import DELETE, build_action
from kilonova_operator.domain.servers.guest_end import GONE, build_gone, is_proven_gone
from kilonova_operator.domain.servers.guest_facts import GuestFacts
from kilonova_operator.domain.servers.guest_step import (
    SERVER_DELETED,
    Ending,
    plan_endings,
)
from kilonova_operator.domain.servers.order_update import build_repeat
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.servers.brake import DeletionBrake
from kilonova_operator.services.servers.cell_status import CellStatus
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.former_ends import FormerEnds
from kilonova_operator.services.servers.guest_proof import GuestProof
from kilonova_operator.services.servers.held_deletions import HeldDeletions
from kilonova_operator.services.servers.hosts import HostDirectory
from kilonova_operator.services.servers.link import Link
from kilonova_operator.services.servers.orders import OrderWriter
from kilonova_operator.services.stores import ApiStore, CellStore

logger = logging.getLogger(__name__)

_HELD_SECONDS = 30.0
_LONG_SECONDS = 10.0
"""A deletion that takes longer than this is shown in status."""


@dataclass(frozen=True, slots=True)
class GuestEnding:
    """Ends guests whose delete is recorded, and Instances of former placements."""

    api: ApiStore
    store: CellStore
    duty: Duty
    orders: OrderWriter
    former: FormerEnds
    link: Link
    proof: GuestProof
    hosts: HostDirectory
    brake: DeletionBrake
    held: HeldDeletions
    status: CellStatus
    feeds: Feeds
    now: Callable[[], datetime]
    _ended: dict[Key, set[str]] = field(default_factory=dict)
    """Guests whose booking only waits for super's release."""

    async def end(self, key: Key, facts: GuestFacts) -> RetryAfter | None:
        """Bring the end of a guest a step further."""
        held = await self._order_all(facts)
        if held:
            await self.held.hold(facts.server_uid)
            await self.status.show_held(facts, held)
            return RetryAfter(_HELD_SECONDS)
        await self.held.let(facts.server_uid)
        mapping = facts.mapping
        if facts.instances:
            return await self._show_long_deletion(facts)
        if mapping is None:
            await self._forget(facts.instance_uuid)
            return None
        if mapping.cell != facts.cell:
            return None
        await self.former.repeat_lost(facts, mapping)
        await self._conclude(key, facts, mapping)
        # Until super has released everything, a former host's claim included.
        return await self._show_long_deletion(facts)

    async def order_former(self, facts: GuestFacts) -> None:
        """End Instances of placements that a newer one on another host replaced."""
        for ending in plan_endings(facts.fate, facts.mapping, facts.instances):
            await self.former.order(facts, ending)
        if facts.mapping is not None:
            await self.former.repeat_lost(facts, facts.mapping)

    async def forget_ended(self, key: Key) -> None:
        """Forget guests of a key that super has released meanwhile."""
        for uuid in tuple(self._ended.get(key, ())):
            booking = await self.store.find_instance(uuid)
            if booking is None or booking.state != GONE:
                self._ended[key].discard(uuid)
            elif await self.api.find_mapping(booking.server.uid) is None:
                await self._forget(uuid)
                self._ended[key].discard(uuid)
        if not self._ended.get(key):
            self._ended.pop(key, None)

    async def _order_all(self, facts: GuestFacts) -> list[Ending]:
        """Order what may be ordered; return what the brake holds."""
        endings = plan_endings(facts.fate, facts.mapping, facts.instances)
        if not endings:
            return []
        tombstone = await self.api.find_tombstone(facts.server_uid)
        deleted_at = tombstone.deleted_at if tombstone else None
        placed_at = facts.mapping.created_at if facts.mapping else None
        held = []
        for ending in endings:
            if await self.brake.lets(
                ending.instance, placed_at=placed_at, deleted_at=deleted_at
            ):
                await self._order(facts, ending)
            else:
                held.append(ending)
        return held

    async def _order(self, facts: GuestFacts, ending: Ending) -> None:
        if facts.mapping is None:  # super holds nothing for it that waits for proof
            await self.orders.end(ending)
        elif ending.instance.spec.host == facts.mapping.host:
            await self.orders.end_last(ending, server=facts.server)
        else:
            await self.former.order(facts, ending)

    async def _conclude(
        self, key: Key, facts: GuestFacts, mapping: InstanceMapping
    ) -> None:
        booking = await self.store.find_instance(mapping.instance_uuid)
        if not is_proven_gone(booking, mapping):
            if not await self._is_gone(booking, mapping):
                await self._doubt(facts, mapping, booking)
                return
            await self._book_gone(facts, mapping, booking)
            self.feeds.publish_to(Feed(FeedKind.SERVERS), key)
        self._ended.setdefault(key, set()).add(mapping.instance_uuid)

    async def _is_gone(self, booking: Booking | None, mapping: InstanceMapping) -> bool:
        """Tell whether the guest is gone, and not just its Instance.

        Only its agent proves that, by its answer to an order to end. A guest
        that was never ordered on its host needs no proof.
        """
        host = mapping.host or ""
        order = _find_order(booking, mapping)
        if booking is None or order is None:
            return await self.proof.is_gone(host, mapping.instance_uuid, since=None)
        if order.destroy is None or not self.hosts.answers(host):
            return False
        return await self.proof.is_gone(
            host, mapping.instance_uuid, since=booking.booked_at
        )

    async def _doubt(
        self, facts: GuestFacts, mapping: InstanceMapping, booking: Booking | None
    ) -> None:
        """Give the order to end again, unless it only is not in our copy yet."""
        spec = _find_order(booking, mapping)
        if spec is None or await self.link.find_unseen(mapping) is not None:
            return
        if not self.hosts.answers(spec.host) and self._is_recent(booking, spec):
            return
        logger.warning(
            "Instance %s went, but not by its agent's answer to an order to end: "
            "the order is given again",
            mapping.instance_uuid,
        )
        destroy = DestroyOrder(
            placement_generation=mapping.placement_generation, reason=SERVER_DELETED
        )
        repeated = build_repeat(
            spec,
            mapping.server,
            writer=self.duty.term().number,
            destroy=destroy,
        )
        await self.link.repeat_end(facts, mapping, repeated)

    def _is_recent(self, booking: Booking | None, spec: InstanceSpec) -> bool:
        """Tell whether the order to end was given a moment ago.

        An agent whose host counts as silent may answer all the same; it is not
        to be asked as fast as it answers.
        """
        if booking is None or booking.booked_at is None or spec.destroy is None:
            return False
        return self.now() - booking.booked_at < timedelta(seconds=_HELD_SECONDS)

    async def _book_gone(
        self, facts: GuestFacts, mapping: InstanceMapping, booking: Booking | None
    ) -> None:
        self.duty.check_changes()
        now = self.now()
        action = build_action(
            DELETE,
            mapping.instance_uuid,
            mapping.placement_generation,
            server=facts.server,
            started_at=_deleted_at(facts) or now,
            finished_at=now,
            host=mapping.host,
        )
        await self.store.book_instance(
            self.duty.term(), build_gone(booking, mapping), action=action
        )

    async def _forget(self, instance_uuid: str) -> None:
        if await self.store.find_instance(instance_uuid) is None:
            return
        self.duty.check_changes()
        await self.store.forget_instance(self.duty.term(), instance_uuid)

    async def _show_long_deletion(self, facts: GuestFacts) -> RetryAfter | None:
        since = _deleted_at(facts)
        if facts.server is None or since is None:
            return None
        left = since + timedelta(seconds=_LONG_SECONDS) - self.now()
        if left > timedelta():
            return RetryAfter(left.total_seconds())
        held = await self.api.list_claims(facts.server_uid)
        hosts = {claim.host for claim in held}
        hosts |= {instance.spec.host for instance in facts.instances}
        await self.status.show_deleting(facts.server, sorted(hosts))
        return None


def _deleted_at(facts: GuestFacts) -> datetime | None:
    return facts.server.metadata.deletion_timestamp if facts.server else None


def _find_order(
    booking: Booking | None, mapping: InstanceMapping
) -> InstanceSpec | None:
    """Return the last order to the host that the row names; None: there was none."""
    if booking is None or booking.instance_spec is None:
        return None
    if booking.host != mapping.host:
        return None
    return InstanceSpec.model_validate(booking.instance_spec)
