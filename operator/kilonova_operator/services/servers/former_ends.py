"""The end of a guest on former hosts: ordered, noted, given again where lost.

Nobody's word but the agent's ends a guest: an Instance that went before its end
was ordered proves nothing, whoever deleted it. So each order is noted in the
guest's history, and so is its answer, on which super releases. An order that was
never given, went with its namespace, or was taken away from a silent host is
given (again)::

    order ──> noted ──> agent destroys, deletes the Instance ──> noted ──> released
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from kilonova_api.instance_spec import DestroyOrder, InstanceSpec
from kilonova_api.kube.errors import NotFound
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.order_book import Action
from kilonova_operator.domain.placement import HeldClaim, InstanceMapping
from kilonova_operator.domain.servers.actions import (
    END_FORMER,
    build_action,
    build_request_id,
)
from kilonova_operator.domain.servers.guest_facts import GuestFacts
from kilonova_operator.domain.servers.guest_step import SERVER_MOVED, Ending
from kilonova_operator.domain.servers.order_update import build_repeat
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.guest_proof import GuestProof
from kilonova_operator.services.servers.hosts import HostDirectory
from kilonova_operator.services.servers.orders import OrderWriter
from kilonova_operator.services.stores import ApiStore, CellStore

logger = logging.getLogger(__name__)

_PATIENCE = timedelta(seconds=30)
"""A host that counts as silent may answer all the same; it is given this time."""


@dataclass(frozen=True, slots=True)
class FormerEnds:
    """Ends guests on hosts that a newer placement replaced."""

    api: ApiStore
    store: CellStore
    duty: Duty
    orders: OrderWriter
    proof: GuestProof
    hosts: HostDirectory
    feeds: Feeds
    now: Callable[[], datetime]

    async def order(self, facts: GuestFacts, ending: Ending) -> None:
        """Order the end of a former placement, then note that it was ordered.

        After the write, not before: a noted order says that the host's agent was
        told, so that the Instance's absence means its answer.
        """
        given_at, spec = self.now(), ending.instance.spec
        if await self.orders.end(ending) is None:
            return
        generation = spec.placement_generation
        await self._note(facts, spec.host, generation=generation, given_at=given_at)

    async def repeat_lost(self, facts: GuestFacts, mapping: InstanceMapping) -> None:
        """Look at every former host that still holds something for the guest."""
        if mapping.placement_generation <= 1:
            return  # there was none before
        told = {instance.spec.host for instance in facts.instances}
        for held in await self.api.list_claims(mapping.server.uid):
            former = held.placement_generation < mapping.placement_generation
            if former and held.host not in told:
                await self._look_at(held, facts, mapping)

    async def _look_at(
        self, held: HeldClaim, facts: GuestFacts, mapping: InstanceMapping
    ) -> None:
        end = await find_end(self.store, mapping, held)
        if end is not None and await self._is_settled(end, held, facts, mapping):
            return
        if await self.proof.is_there(held.host, mapping.instance_uuid):
            return  # our copy of it is only late
        booking = await self.store.find_instance(mapping.instance_uuid)
        if booking is None or booking.instance_spec is None:
            return
        spec = InstanceSpec.model_validate(booking.instance_spec)
        # No namespace yet: it is looked at again until there is one.
        with suppress(NotFound):
            await self._give(held, facts, mapping, spec)

    async def _is_settled(
        self,
        end: Action,
        held: HeldClaim,
        facts: GuestFacts,
        mapping: InstanceMapping,
    ) -> bool:
        """Tell whether an order was answered, or may be yet; tell super if it was."""
        if end.finished_at is not None:
            return True
        if not self.hosts.answers(held.host):
            return self.now() - end.started_at < _PATIENCE
        name, since = mapping.instance_uuid, end.started_at
        if not await self.proof.is_gone(held.host, name, since=since):
            return False
        await self._note(
            facts,
            held.host,
            generation=held.placement_generation,
            given_at=since,
            answered_at=self.now(),
        )
        key = Key.of(mapping.server.namespace, mapping.server.name)
        self.feeds.publish_to(Feed(FeedKind.SERVERS), key)
        return True

    async def _give(
        self,
        held: HeldClaim,
        facts: GuestFacts,
        mapping: InstanceMapping,
        spec: InstanceSpec,
    ) -> None:
        generation, given_at = held.placement_generation, self.now()
        order = build_repeat(
            spec,
            mapping.server,
            writer=self.duty.term().number,
            destroy=DestroyOrder(placement_generation=generation, reason=SERVER_MOVED),
        ).model_copy(update={"host": held.host, "placement_generation": generation})
        logger.warning(
            "Instance %s went from host %s, but not by its agent's answer to an "
            "order to end: the order is given again",
            mapping.instance_uuid,
            held.host,
        )
        await self.orders.give_unbooked(mapping.instance_uuid, order)
        await self._note(facts, held.host, generation=generation, given_at=given_at)

    async def _note(
        self,
        facts: GuestFacts,
        host: str,
        *,
        generation: int,
        given_at: datetime,
        answered_at: datetime | None = None,
    ) -> None:
        self.duty.check_changes()
        action = build_action(
            END_FORMER,
            facts.instance_uuid,
            generation,
            server=facts.server,
            started_at=given_at,
            finished_at=answered_at,
            host=host,
        )
        await self.store.record_action(self.duty.term(), action)


def is_end_answered(end: Action | None) -> bool:
    """Tell whether the cell has said that a former host's agent ended the guest."""
    return end is not None and end.finished_at is not None


async def find_end(
    store: CellStore, mapping: InstanceMapping, held: HeldClaim
) -> Action | None:
    """Return the order to end what a former host holds; None if it never was."""
    uuid = mapping.instance_uuid
    noted = build_request_id(END_FORMER, uuid, held.placement_generation)
    actions = await store.list_actions(uuid)
    return next((a for a in actions if a.request_id == noted), None)
