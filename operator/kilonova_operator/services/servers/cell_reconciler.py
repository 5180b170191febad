"""A cell's part in a Server's life: one key in, its guests' next steps done."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.server import Server
from kilonova_operator.domain.placement import DecisionRecord, InstanceMapping
from kilonova_operator.domain.refusals import PlacementFrozen
from kilonova_operator.domain.servers.faults import FaultOutcome, decide_fault
from kilonova_operator.domain.servers.guest_facts import GuestFacts
from kilonova_operator.domain.servers.guest_step import GuestFate, is_ahead
from kilonova_operator.domain.servers.obstacles import find_obstacle
from kilonova_operator.domain.servers.past import build_from_the_past
from kilonova_operator.domain.servers.super_step import (
    ServerFacts,
    is_from_the_past,
    is_placed,
)
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.servers.cell_status import CellStatus
from kilonova_operator.services.servers.former_hosts import FormerHostsUnproven
from kilonova_operator.services.servers.guest_ending import GuestEnding
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.servers.link import Link, OrderImpossible
from kilonova_operator.services.servers.orders import OrderWriter
from kilonova_operator.services.servers.unplaced import MAX_RETRIES_EXCEEDED
from kilonova_operator.services.stores import ApiStore

logger = logging.getLogger(__name__)

_ASK_AGAIN = RetryAfter(5.0, most_seconds=60.0)
"""Secrets wake nobody, and people wait for what they have just mended."""
_FROZEN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class CellReconciler:
    """Decides by ``domain.servers.guest_step``, for every guest of a key.

    A name can stand for several: the Server's own, and what is left of a former
    Server of that name.
    """

    kube: KubeApi
    cell: str
    api: ApiStore
    instances: InstanceView
    instances_of_key: Callable[[Key], Iterable[Instance]]
    link: Link
    ending: GuestEnding
    status: CellStatus
    orders: OrderWriter

    async def reconcile(self, key: Key) -> RetryAfter | None:
        """Bring the guests of one Server's name a step further."""
        try:
            await self.ending.forget_ended(key)
            obj = await self.kube.find(Server.resource(), key.namespace, key.name)
            server = None if obj is None else Server.model_validate(obj)
            waits = [
                await self._reconcile_guest(key, facts)
                for facts in await self._gather_all(key, server)
            ]
        except PlacementFrozen as frozen:
            logger.warning("cell %s, Server %s waits: %s", self.cell, key, frozen)
            return RetryAfter(_FROZEN_SECONDS)
        return min(
            (wait for wait in waits if wait is not None),
            key=lambda wait: wait.seconds,
            default=None,
        )

    async def _gather_all(self, key: Key, server: Server | None) -> list[GuestFacts]:
        own = [await self._gather(server.metadata.uid, server)] if server else []
        former = await self._former_uids(key, own) - {facts.server_uid for facts in own}
        return own + [await self._gather(uid, None) for uid in sorted(former)]

    async def _former_uids(self, key: Key, own: list[GuestFacts]) -> set[str]:
        uids = {
            instance.spec.server.uid
            for instance in self.instances_of_key(key)
            if instance.spec.cell == self.cell
        }
        # While a Server has a host, nobody else holds its name.
        if not any(is_placed(facts.mapping) for facts in own):
            holder = await self.api.hold_by_name(key.namespace, key.name)
            if holder is not None:
                uids.add(holder.server.uid)
        return uids

    async def _gather(self, uid: str, server: Server | None) -> GuestFacts:
        mapping = await self.api.find_mapping(uid)
        ended = mapping is not None and (mapping.queued_for_delete or mapping.retained)
        tombstoned = ended or (
            mapping is None and await self.api.find_tombstone(uid) is not None
        )
        instances = self.instances.of_server(uid)
        guests = {uid, *(instance.metadata.name for instance in instances)}
        return GuestFacts(
            cell=self.cell,
            server_uid=uid,
            server=server,
            mapping=mapping,
            tombstoned=tombstoned,
            instances=instances,
            adopted=mapping is None and tombstoned and await self._is_any_owned(guests),
        )

    async def _is_any_owned(self, guests: set[str]) -> bool:
        """Tell whether a row names one of these guests: its Server adopted it."""
        for uuid in sorted(guests):
            if await self.api.find_mapping_by_instance(uuid) is not None:
                return True
        return False

    async def _reconcile_guest(self, key: Key, facts: GuestFacts) -> RetryAfter | None:
        await self._tell_the_past(facts)
        fate = facts.fate
        if fate is GuestFate.ENDS:
            return await self.ending.end(key, facts)
        if fate is GuestFate.RETAINED:
            await self._withdraw(facts)
            return None
        if fate is GuestFate.LIVES and facts.mapping is not None:
            return await self._keep(facts, facts.mapping)
        return None

    async def _withdraw(self, facts: GuestFacts) -> None:
        """Take away the orders of a guest that goes on, and no order to end.

        That one is of a former host, whose guest does end: its Instance is its
        agent's to take away, and the API server refuses it to everybody else.
        """
        for instance in facts.instances:
            if instance.spec.destroy is None:
                await self.orders.withdraw(instance)

    async def _keep(
        self, facts: GuestFacts, mapping: InstanceMapping
    ) -> RetryAfter | None:
        if is_ahead(mapping, facts.instances):
            logger.warning(
                "guest %s: a host was told of a newer placement than the database "
                "knows; hands off",
                mapping.instance_uuid,
            )
            return RetryAfter(_FROZEN_SECONDS)
        server = facts.server
        if server is not None and not self._may_act(server, mapping):
            return None
        await self.ending.order_former(facts)
        if self._waits_suspended(facts):
            return None
        try:
            current = await self.link.ensure(facts, mapping)
        except OrderImpossible as impossible:
            if server is None:  # the sweep of rows asks again
                logger.warning(
                    "guest %s of Server %s: %s",
                    mapping.instance_uuid,
                    mapping.server,
                    impossible,
                )
                return None
            await self.status.show_problem(server, impossible.problem)
            return _ASK_AGAIN
        except FormerHostsUnproven as unproven:
            if server is not None:
                await self.status.show_former(server, unproven.hosts)
            return _ASK_AGAIN
        if server is None:
            return None
        if _may_move(mapping, current):
            decision = await self._find_last_decision(mapping)
            obstacle = find_obstacle(decision)
            if obstacle is not None:
                await self.status.show_problem(server, obstacle)
            if decision is None or decision.outcome != MAX_RETRIES_EXCEEDED:
                return _ASK_AGAIN
        await self.status.mirror(server, mapping, current)
        return None

    def _may_act(self, server: Server, mapping: InstanceMapping) -> bool:
        """Tell whether super has handed this placement over, of this object."""
        facts = ServerFacts(server=server, mapping=mapping, tombstoned=False)
        return facts.shown and not facts.deleting and not is_from_the_past(facts)

    def _waits_suspended(self, facts: GuestFacts) -> bool:
        suspended = facts.server is not None and facts.server.spec.suspend
        return suspended and facts.current is None

    async def _find_last_decision(
        self, mapping: InstanceMapping
    ) -> DecisionRecord | None:
        decisions = await self.api.list_decisions(mapping.server.uid)
        return decisions[0] if decisions else None

    async def _tell_the_past(self, facts: GuestFacts) -> None:
        server = facts.server
        if server is None or server.status.cell != self.cell:
            return
        past = ServerFacts(
            server=server, mapping=facts.mapping, tombstoned=facts.tombstoned
        )
        if is_from_the_past(past):
            await self.status.write(
                server, build_from_the_past(past, now=self.status.now())
            )


def _may_move(mapping: InstanceMapping, current: Instance) -> bool:
    """Tell whether a failed build may still be given another host."""
    fault = current.status.fault
    if fault is None or current.status.state != "ERROR":
        return False
    outcome = decide_fault(
        fault, attempts=mapping.attempt, built=current.status.built_at is not None
    )
    return outcome is FaultOutcome.RESCHEDULE
