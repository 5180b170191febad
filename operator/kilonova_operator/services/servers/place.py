"""Giving a Server a host: references, schedule, claim; or a place in cell0.

::

    references ok? ── no ──> WaitingForReference, then Stalled
      │ yes
    select ──> claim best ── refused ──> next best ... ── none ──> cell0, NoValidHost
                  │ claimed
               status names the placement; the cell is told
"""

from dataclasses import dataclass

from kilonova_api.kube.resources import Key
from kilonova_api.server import Server
from kilonova_api.server_status import SchedulingRecord
from kilonova_operator.domain.placement import Claim, InstanceMapping
from kilonova_operator.domain.refusals import AlreadyPlaced, ClaimRefused, DomainExists
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.servers.references import (
    Problem,
    References,
    find_problem,
)
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.control.waiting import Waiting
from kilonova_operator.services.servers.claiming import (
    CLAIMED,
    Attempt,
    HostClaimer,
    build_next_attempt,
)
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.gather import ReferenceReader, list_references
from kilonova_operator.services.servers.host_recorder import HOSTS_NOT_KEPT
from kilonova_operator.services.servers.placement_status import PlacementStatus
from kilonova_operator.services.servers.requests import UNREADABLE
from kilonova_operator.services.servers.together import GroupPlacer, Outcome
from kilonova_operator.services.servers.unplaced import (
    RETRY_SECONDS,
    Unplaced,
    build_refusal,
)
from kilonova_operator.services.stores import ApiStore

_REFUSALS = (ClaimRefused, *UNREADABLE)
"""Why a Server gets no host though there may be room."""


@dataclass(frozen=True, slots=True)
class Placer:
    """Schedules and claims."""

    api: ApiStore
    duty: Duty
    references: ReferenceReader
    claimer: HostClaimer
    groups: GroupPlacer
    statuses: PlacementStatus
    unplaced: Unplaced
    waiting: Waiting

    async def place(
        self, server: Server, mapping: InstanceMapping | None
    ) -> RetryAfter | None:
        """Place a Server that has no host; show why where that is not possible.

        Raises:
            DomainExists: a guest of a former Server of this name still lives.
        """
        found, problem = await self._read(server)
        if problem is not None:
            return await self.unplaced.show_problem(server, problem)
        try:
            together = await self.groups.place(server, found)
            if together is not None:
                return await self._end_together(server, together, found, mapping)
            claim, decision = await self.claimer.claim_best(server, found, Attempt())
        except DomainExists:
            raise
        except AlreadyPlaced:
            return RetryAfter(0)  # meanwhile, with another member: show that
        except _REFUSALS as refused:
            return await self.unplaced.show_problem(server, build_refusal(refused))
        if claim is None:
            return await self.unplaced.bury(server, decision, mapping)
        await self._show_placement(server, claim, found, decision)
        return None

    async def _end_together(
        self,
        server: Server,
        outcome: Outcome,
        found: References,
        mapping: InstanceMapping | None,
    ) -> RetryAfter | None:
        if outcome.problem is not None:
            return await self.unplaced.show_problem(server, outcome.problem)
        own = [c for c in outcome.claims if c.server.uid == server.metadata.uid]
        if own and outcome.decision is not None:
            await self._show_placement(server, own[0], found, outcome.decision)
            return None
        if outcome.decision is None:
            return RetryAfter(0)
        spec = found.group.spec if found.group else None
        return await self.unplaced.bury(
            server,
            outcome.decision,
            mapping,
            grace_seconds=float(spec.schedule_timeout_seconds) if spec else None,
        )

    async def reschedule(
        self, server: Server, mapping: InstanceMapping
    ) -> RetryAfter | None:
        """Claim another host of the same cell for a build that failed.

        None: there is none. The old host keeps its claim until it has proven
        the failed guest gone.
        """
        found, problem = await self._read(server)
        if problem is not None:
            return await self.unplaced.note_obstacle(server, problem)
        attempt = build_next_attempt(mapping)
        try:
            claim, decision = await self.claimer.claim_best(server, found, attempt)
        except AlreadyPlaced:
            return RetryAfter(0)
        except _REFUSALS as refused:
            return await self.unplaced.note_obstacle(server, build_refusal(refused))
        if claim is None:
            await self.unplaced.note_no_other(server, decision, mapping)
            return None
        await self._show_placement(server, claim, found, decision)
        return RetryAfter(0)

    async def show(self, server: Server) -> RetryAfter | None:
        """Show in status what was claimed before: this process or another died."""
        claim = await self.api.find_claim(server.metadata.uid)
        if claim is None:
            return RetryAfter(RETRY_SECONDS)
        # Where its answer was lost, or after a start, it is not known here yet.
        self.claimer.ranking.placements.add(
            server.metadata.uid, claim.host, claim.group_uid
        )
        found = await self.references.read(server)
        self.duty.check()
        record = await self._find_record(claim)
        await self.statuses.show_claim(server, claim, found, record)
        return None

    async def _find_record(self, claim: Claim) -> SchedulingRecord | None:
        """Return what the database keeps of the decision that a claim came of."""
        kept = next(iter(await self.api.list_decisions(claim.server.uid)), None)
        if kept is None or (kept.outcome, kept.host) != (CLAIMED, claim.host):
            return None
        told = {k: part for k, part in kept.record.items() if k != HOSTS_NOT_KEPT}
        return SchedulingRecord.model_validate(told)

    async def _read(self, server: Server) -> tuple[References, Problem | None]:
        """Read what the Server refers to, and what is wrong with it."""
        key = Key.of(server.metadata.namespace, server.metadata.name)
        self.duty.check_changes()
        # Before the reads: a change between read and registration would be lost.
        self.waiting.for_references(key, list_references(server))
        found = await self.references.read(server)
        problem = find_problem(server, found)
        if problem is None:
            self.waiting.for_capacity(key)
        return found, problem

    async def _show_placement(
        self, server: Server, claim: Claim, found: References, decision: Decision
    ) -> None:
        self.waiting.forget(Key.of(server.metadata.namespace, server.metadata.name))
        self.duty.check()
        record = decision.build_record(attempts=claim.attempt)
        await self.statuses.show_claim(server, claim, found, record)
