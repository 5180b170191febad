"""Former hosts of a guest that lost the order to end it.

Such an order goes with its namespace, and the namespace that is made anew
proves nothing of the time before. So the order is given again and the time is
kept in the guest's history; super measures the namespace by it.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.instance import DestroyOrder, InstanceSpec
from kilonova_api.kube.errors import NotFound
from kilonova_api.names import host_namespace
from kilonova_operator.domain.placement import HeldClaim, InstanceMapping
from kilonova_operator.domain.servers.actions import END_FORMER, build_action
from kilonova_operator.domain.servers.guest_facts import GuestFacts
from kilonova_operator.domain.servers.guest_step import SERVER_MOVED
from kilonova_operator.domain.servers.order_update import build_repeat
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.guest_proof import GuestProof
from kilonova_operator.services.servers.orders import OrderWriter
from kilonova_operator.services.stores import ApiStore, CellStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FormerEnds:
    """Gives lost orders to end again, to hosts that a newer placement replaced."""

    api: ApiStore
    store: CellStore
    duty: Duty
    orders: OrderWriter
    proof: GuestProof
    now: Callable[[], datetime]

    async def repeat_lost(self, facts: GuestFacts, mapping: InstanceMapping) -> None:
        """Look at every former host that still holds something for the guest."""
        if mapping.attempt <= 1:
            return
        told = {instance.spec.host for instance in facts.instances}
        for held in await self.api.list_claims(mapping.server.uid):
            former = held.placement_generation < mapping.placement_generation
            if former and held.host not in told:
                await self._look_at(held, facts, mapping)

    async def _look_at(
        self, held: HeldClaim, facts: GuestFacts, mapping: InstanceMapping
    ) -> None:
        since = await find_end_given_at(self.store, mapping, held)
        namespace = host_namespace(held.host)
        if since is None or await self.proof.is_trustworthy(namespace, since=since):
            return
        booking = await self.store.find_instance(mapping.instance_uuid)
        if booking is None or booking.instance_spec is None:
            return
        spec = InstanceSpec.model_validate(booking.instance_spec)
        # No namespace yet: it is looked at again until there is one.
        with suppress(NotFound):
            await self._repeat(held, facts, mapping, spec)

    async def _repeat(
        self,
        held: HeldClaim,
        facts: GuestFacts,
        mapping: InstanceMapping,
        spec: InstanceSpec,
    ) -> None:
        generation, given_at = held.placement_generation, self.now()
        repeated = build_repeat(
            spec,
            mapping.server,
            writer=self.duty.term().number,
            destroy=DestroyOrder(placement_generation=generation, reason=SERVER_MOVED),
        ).model_copy(update={"host": held.host, "placement_generation": generation})
        logger.warning(
            "host %s lost the order to end guest %s, which moved away: it is given "
            "again",
            held.host,
            mapping.instance_uuid,
        )
        await self.orders.give_unbooked(mapping.instance_uuid, repeated)
        action = build_action(
            END_FORMER,
            mapping.instance_uuid,
            generation,
            server=facts.server,
            started_at=given_at,
            host=held.host,
        )
        await self.store.record_action(self.duty.term(), action)


async def find_end_given_at(
    store: CellStore, mapping: InstanceMapping, held: HeldClaim
) -> datetime | None:
    """Return the time from which on a former host's namespace has to stand."""
    asked = [
        action.started_at
        for action in await store.list_actions(mapping.instance_uuid)
        if action.action == END_FORMER
        and any(event.host == held.host for event in action.events)
    ]
    return max(asked, default=mapping.created_at)
