"""Super's part in a Server's life: one key in, the next steps done."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.names import SERVER_FINALIZER
from kilonova_api.server import Server
from kilonova_operator.domain.placement import InstanceMapping
from kilonova_operator.domain.refusals import DomainExists, PlacementFrozen
from kilonova_operator.domain.servers.faults import FaultOutcome, decide_fault
from kilonova_operator.domain.servers.guest_step import find_current
from kilonova_operator.domain.servers.past import build_from_the_past
from kilonova_operator.domain.servers.references import Problem
from kilonova_operator.domain.servers.super_step import (
    ServerFacts,
    SuperStep,
    next_super_step,
)
from kilonova_operator.domain.servers.waiting import build_problem, build_suspended
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.servers.adopt import Adopter
from kilonova_operator.services.servers.conclude import Concluder
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.servers.place import Placer
from kilonova_operator.services.servers.placement_status import PlacementStatus
from kilonova_operator.services.stores import ApiStore

logger = logging.getLogger(__name__)

_FROZEN_SECONDS = 30.0
_NAME_IS_HELD = RetryAfter(10.0, most_seconds=120.0)
_Step = Callable[[ServerFacts], Awaitable[RetryAfter | None]]


@dataclass(frozen=True, slots=True)
class SuperReconciler:
    """Decides by ``domain.servers.super_step`` and does one step a call."""

    kube: KubeApi
    api: ApiStore
    duty: Duty
    placer: Placer
    concluder: Concluder
    adopter: Adopter
    statuses: PlacementStatus
    instances: InstanceView

    async def reconcile(self, key: Key) -> RetryAfter | None:
        """Bring one Server a step further."""
        try:
            obj = await self.kube.find(Server.resource(), key.namespace, key.name)
            if obj is None:
                return await self._settle_name(key)
            return await self._reconcile_object(Server.model_validate(obj))
        except PlacementFrozen as frozen:
            logger.warning("Server %s waits: %s", key, frozen)
            return RetryAfter(_FROZEN_SECONDS)

    async def _reconcile_object(self, server: Server) -> RetryAfter | None:
        facts = await self._gather(server)
        step = next_super_step(facts)
        logger.debug("Server %s: %s", server.key, step)
        return await self._steps()[step](facts)

    async def _gather(self, server: Server) -> ServerFacts:
        uid = server.metadata.uid
        mapping = await self.api.find_mapping(uid)
        # A tombstone is only looked for where a row cannot answer.
        queued = mapping is not None and (mapping.queued_for_delete or mapping.retained)
        living = mapping is not None and not queued
        tombstoned = queued or (
            not living and await self.api.find_tombstone(uid) is not None
        )
        return ServerFacts(server=server, mapping=mapping, tombstoned=tombstoned)

    def _steps(self) -> dict[SuperStep, _Step]:
        return {
            SuperStep.NOTHING: _nothing,
            SuperStep.HANDS_OFF: self._hands_off,
            SuperStep.ADD_FINALIZER: self._add_finalizer,
            SuperStep.SUSPENDED: self._suspended,
            SuperStep.PLACE: self._place,
            SuperStep.SHOW_PLACEMENT: lambda f: self.placer.show(f.server),
            SuperStep.FOLLOW: self._follow,
            SuperStep.RECORD_DELETE: lambda f: self.concluder.record(
                f.server, retain=False
            ),
            SuperStep.RECORD_RETAIN: lambda f: self.concluder.record(
                f.server, retain=True
            ),
            SuperStep.SETTLE: self._settle,
            SuperStep.LET_GO: self._let_go,
        }

    async def _hands_off(self, facts: ServerFacts) -> None:
        # With a cell in its status, that cell's link speaks for it.
        if facts.server.status.cell is None:
            self.duty.check()
            await self.statuses.write(
                facts.server, build_from_the_past(facts, now=self.statuses.now())
            )

    async def _add_finalizer(self, facts: ServerFacts) -> RetryAfter | None:
        """Hold the object before anything is made for it, then go on."""
        self.duty.check()
        meta = facts.server.metadata
        there = bool(meta.finalizers)
        obj = await self.kube.json_patch(
            Server.resource(),
            meta.namespace,
            meta.name,
            [
                {"op": "test", "path": "/metadata/uid", "value": meta.uid},
                {
                    "op": "test",
                    "path": "/metadata/resourceVersion",
                    "value": meta.resource_version,
                },
                {
                    "op": "add",
                    "path": "/metadata/finalizers/-"
                    if there
                    else "/metadata/finalizers",
                    "value": SERVER_FINALIZER if there else [SERVER_FINALIZER],
                },
            ],
        )
        return await self._reconcile_object(Server.model_validate(obj))

    async def _suspended(self, facts: ServerFacts) -> None:
        self.duty.check()
        await self.statuses.write(
            facts.server, build_suspended(facts.server, now=self.statuses.now())
        )

    async def _place(self, facts: ServerFacts) -> RetryAfter | None:
        server = facts.server
        try:
            return await self.placer.place(server, facts.mapping)
        except DomainExists as held:
            return await self._name_is_held(server, held)

    async def _name_is_held(
        self, server: Server, held: DomainExists
    ) -> RetryAfter | None:
        """Free the name where its last guest is gone, adopt it, or say who has it."""
        meta = server.metadata
        holder = await self.api.hold_by_name(
            meta.namespace or "", meta.name, but_not=meta.uid
        )
        if holder is None:
            return RetryAfter(0)
        if await self.adopter.adopt(server, holder):
            return RetryAfter(0)
        if holder.queued_for_delete:
            await self.concluder.settle(None, holder)
        problem = Problem(held.reason, str(held))
        await self.statuses.write(
            server,
            build_problem(
                server, problem, self.placer.unplaced.patience, now=self.statuses.now()
            ),
        )
        return _NAME_IS_HELD

    async def _follow(self, facts: ServerFacts) -> RetryAfter | None:
        server, mapping = facts.server, _mapping(facts)
        generation = server.metadata.generation
        if generation > mapping.object_generation:
            self.duty.check()
            await self.api.note_object_generation(
                self.duty.term(), server.metadata.uid, generation
            )
        again = None
        if self._wants_other_host(server, mapping):
            again = await self.placer.reschedule(server, mapping)
            if again is not None and again.seconds == 0:
                return again
            self.statuses.hand_over(server, mapping.cell)
        # Sooner than what is waited for, if any.
        return await self.concluder.release_former(mapping) or again

    def _wants_other_host(self, server: Server, mapping: InstanceMapping) -> bool:
        if server.spec.suspend:
            return False
        instances = self.instances.of_server(server.metadata.uid)
        current = find_current(mapping, instances)
        if current is None or current.status.fault is None:
            return False
        if current.status.state != "ERROR":
            return False
        outcome = decide_fault(
            current.status.fault,
            attempts=mapping.attempt,
            built=current.status.built_at is not None,
        )
        return outcome is FaultOutcome.RESCHEDULE

    async def _settle(self, facts: ServerFacts) -> RetryAfter | None:
        return await self.concluder.settle(facts.server, _mapping(facts))

    async def _let_go(self, facts: ServerFacts) -> None:
        await self.concluder.let_go(facts.server)

    async def _settle_name(self, key: Key) -> RetryAfter | None:
        """Go on with a delete whose object was let go before its host answered.

        A row that is not queued belongs to an object that vanished without us:
        its guest stays as it is.
        """
        self.placer.waiting.forget(key)
        holder = await self.api.hold_by_name(key.namespace, key.name)
        if holder is None or not holder.queued_for_delete:
            return None
        return await self.concluder.settle(None, holder)


async def _nothing(_: ServerFacts) -> None:
    return None


def _mapping(facts: ServerFacts) -> InstanceMapping:
    if facts.mapping is None:
        raise ValueError(f"Server {facts.server.key} has no mapping")
    return facts.mapping
