"""The end of a guest on former hosts: ordered, noted, given again where lost.

Nobody's word but the agent's ends a guest: an Instance that went before its end
was ordered proves nothing, whoever deleted it. So each order is noted in the
guest's history, and super measures by it. An order that was never given, went
with its namespace, or was taken away from a silent host is given (again)::

    order ──> noted ──> agent destroys, deletes the Instance ──> super releases
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from kilonova_api.instance import DestroyOrder, InstanceSpec
from kilonova_api.kube.errors import NotFound
from kilonova_api.names import host_namespace
from kilonova_operator.domain.placement import HeldClaim, InstanceMapping
from kilonova_operator.domain.servers.actions import (
    END_FORMER,
    build_action,
    build_request_id,
)
from kilonova_operator.domain.servers.guest_facts import GuestFacts
from kilonova_operator.domain.servers.guest_step import SERVER_MOVED, Ending
from kilonova_operator.domain.servers.order_update import build_repeat
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
    now: Callable[[], datetime]

    async def order(self, facts: GuestFacts, ending: Ending) -> None:
        """Order the end of a former placement, then note that it was ordered.

        After the write, not before: a noted order says that the host's agent was
        told, so that the Instance's absence means its answer.
        """
        given_at, spec = self.now(), ending.instance.spec
        if await self.orders.end(ending) is not None:
            await self._note(facts, spec.host, spec.placement_generation, given_at)

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
        given_at = await find_end_given_at(self.store, mapping, held)
        if given_at is not None and await self._is_answered(held, given_at):
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

    async def _is_answered(self, held: HeldClaim, given_at: datetime) -> bool:
        """Tell whether an absent Instance is, or may yet be, its agent's answer."""
        if not self.hosts.answers(held.host):
            return self.now() - given_at < _PATIENCE
        namespace = host_namespace(held.host)
        return await self.proof.is_trustworthy(namespace, since=given_at)

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
        await self._note(facts, held.host, generation, given_at)

    async def _note(
        self, facts: GuestFacts, host: str, generation: int, given_at: datetime
    ) -> None:
        action = build_action(
            END_FORMER,
            facts.instance_uuid,
            generation,
            server=facts.server,
            started_at=given_at,
            host=host,
        )
        await self.store.record_action(self.duty.term(), action)


async def find_end_given_at(
    store: CellStore, mapping: InstanceMapping, held: HeldClaim
) -> datetime | None:
    """Return when the end on a former host was ordered; None if it never was."""
    uuid = mapping.instance_uuid
    noted = build_request_id(END_FORMER, uuid, held.placement_generation)
    actions = await store.list_actions(uuid)
    return next((a.started_at for a in actions if a.request_id == noted), None)
