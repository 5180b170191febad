"""Giving a Server a host: references, schedule, claim; or a place in cell0.

::

    references ok? ── no ──> WaitingForReference, then Stalled
      │ yes
    select ──> claim best ── refused ──> next best ... ── none ──> cell0, NoValidHost
                  │ claimed
               status names the placement; the cell is told
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.kube.resources import Key
from kilonova_api.server import Server
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.placement import (
    BuryRequest,
    Claim,
    ClaimRequest,
    DecisionRecord,
    InstanceMapping,
    NicRequest,
)
from kilonova_operator.domain.refusals import ClaimRefused, DomainExists
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.scheduling.request import BuildRequest, build_amounts
from kilonova_operator.domain.scheduling.scheduler import UnsupportedExtraSpec
from kilonova_operator.domain.servers.instance_spec import MIN_AGENT_VERSION
from kilonova_operator.domain.servers.obstacles import build_obstacle
from kilonova_operator.domain.servers.references import (
    Problem,
    References,
    find_problem,
)
from kilonova_operator.domain.servers.server_ref import build_server_ref
from kilonova_operator.domain.servers.waiting import (
    NO_VALID_HOST,
    Patience,
    build_no_valid_host,
    build_problem,
    seconds_left,
)
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.control.waiting import Waiting
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.gather import ReferenceReader, list_references
from kilonova_operator.services.servers.hosts import HostRanking
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.servers.placement_status import PlacementStatus
from kilonova_operator.services.stores import ApiStore

_RETRY_SECONDS = 30.0
"""What cannot wake us (Secrets, addresses) is looked at again this often."""

MAX_RETRIES_EXCEEDED = "MaxRetriesExceeded"


@dataclass(frozen=True, slots=True)
class Placer:
    """Schedules and claims."""

    api: ApiStore
    duty: Duty
    references: ReferenceReader
    ranking: HostRanking
    instances: InstanceView
    statuses: PlacementStatus
    waiting: Waiting
    patience: Patience
    now: Callable[[], datetime]

    async def place(
        self, server: Server, mapping: InstanceMapping | None
    ) -> RetryAfter | None:
        """Place a Server that has no host; show why where that is not possible."""
        key = Key.of(server.metadata.namespace, server.metadata.name)
        self.duty.check_changes()
        # Before the reads: a change between read and registration would be lost.
        self.waiting.for_references(key, list_references(server))
        found = await self.references.read(server)
        problem = find_problem(server, found)
        if problem is not None:
            return await self._show_problem(server, problem)
        self.waiting.for_capacity(key)
        try:
            return await self._schedule(server, found, mapping)
        except UnsupportedExtraSpec as unsupported:
            return await self._refuse(server, found, unsupported)
        except ClaimRefused as refused:
            if isinstance(refused, DomainExists):
                raise
            return await self._refuse(server, found, refused)

    async def reschedule(
        self, server: Server, mapping: InstanceMapping
    ) -> RetryAfter | None:
        """Claim another host of the same cell for a build that failed.

        None: there is none. The old host keeps its claim until it has proven
        the failed guest gone.
        """
        key = Key.of(server.metadata.namespace, server.metadata.name)
        self.duty.check_changes()
        self.waiting.for_references(key, list_references(server))
        found = await self.references.read(server)
        problem = find_problem(server, found)
        if problem is not None:
            return await self._note_obstacle(server, problem)
        self.waiting.for_capacity(key)
        try:
            return await self._move(server, found, mapping)
        except (UnsupportedExtraSpec, ClaimRefused) as refused:
            return await self._note_obstacle(server, _build_refusal(refused))

    async def _move(
        self, server: Server, found: References, mapping: InstanceMapping
    ) -> RetryAfter | None:
        tried = (*mapping.tried_hosts, mapping.host or "")
        request = _build_request(found, ignored=tried, cell=mapping.cell)
        decision = await self.ranking.select(request)
        claim, decision = await self._claim_best(
            server, found, decision, attempt=mapping.attempt + 1, tried=tried
        )
        if claim is None:
            record = decision.build_record(attempts=mapping.attempt).wire()
            await self._note_decision(
                server, DecisionRecord(MAX_RETRIES_EXCEEDED, record)
            )
            return None
        self.waiting.forget(Key.of(server.metadata.namespace, server.metadata.name))
        await self._show_placement(server, claim, found, decision)
        return RetryAfter(0)

    async def _note_obstacle(self, server: Server, problem: Problem) -> RetryAfter:
        """Let the cell say why a failed build stays where it is."""
        await self._note_decision(server, build_obstacle(problem))
        return RetryAfter(_RETRY_SECONDS)

    async def _note_decision(self, server: Server, decision: DecisionRecord) -> None:
        """Record a decision that differs from the last one."""
        uid = server.metadata.uid
        known = next(iter(await self.api.list_decisions(uid)), None)
        if known is not None and (known.outcome, dict(known.record)) == (
            decision.outcome,
            dict(decision.record),
        ):
            return
        self.duty.check()
        await self.api.record_decision(self.duty.term(), uid, decision)

    async def show(self, server: Server) -> RetryAfter | None:
        """Show in status what was claimed before: this process or another died."""
        claim = await self.api.find_claim(server.metadata.uid)
        if claim is None:
            return RetryAfter(_RETRY_SECONDS)
        found = await self.references.read(server)
        await self._show_placement(server, claim, found, None)
        return None

    async def _schedule(
        self, server: Server, found: References, mapping: InstanceMapping | None
    ) -> RetryAfter | None:
        decision = await self.ranking.select(_build_request(found))
        claim, decision = await self._claim_best(server, found, decision)
        if claim is None:
            return await self._bury(server, decision, mapping)
        self.waiting.forget(Key.of(server.metadata.namespace, server.metadata.name))
        await self._show_placement(server, claim, found, decision)
        return None

    async def _claim_best(
        self,
        server: Server,
        found: References,
        decision: Decision,
        *,
        attempt: int = 1,
        tried: tuple[str, ...] = (),
    ) -> tuple[Claim | None, Decision]:
        while decision.hosts:
            host = decision.hosts[0]
            self.duty.check()
            request = self._build_claim(
                server, found, host, decision=decision, attempt=attempt, tried=tried
            )
            try:
                claim = await self.api.claim(self.duty.term(), request)
            except ClaimRefused as refused:
                if not refused.another_host_may_do:
                    raise
                self.ranking.outdated()
                constraint = getattr(refused, "constraint", refused.reason)
                decision = decision.without(host, constraint, str(refused))
                continue
            self.ranking.consumed(claim.host, claim.amounts)
            return claim, decision
        return None, decision

    def _build_claim(
        self,
        server: Server,
        found: References,
        host: str,
        *,
        decision: Decision,
        attempt: int,
        tried: tuple[str, ...],
    ) -> ClaimRequest:
        if found.flavor is None:
            raise ValueError(f"Server {server.key} has no flavor")
        record = decision.build_record(attempts=attempt)
        told = self.instances.of_server(server.metadata.uid)
        return ClaimRequest(
            server=build_server_ref(server),
            host=host,
            amounts=build_amounts(found.flavor.spec),
            nics=_build_nics(server, found),
            object_generation=server.metadata.generation,
            placement_generation_floor=max(
                (i.spec.placement_generation for i in told),
                default=server.status.placement_generation,
            ),
            attempt=attempt,
            tried_hosts=tried,
            decision=DecisionRecord("Claimed", record.wire(), host=host),
        )

    async def _show_placement(
        self,
        server: Server,
        claim: Claim,
        found: References,
        decision: Decision | None,
    ) -> None:
        self.duty.check()
        record = decision.build_record(attempts=claim.attempt) if decision else None
        await self.statuses.show_claim(server, claim, found, record)

    async def _bury(
        self, server: Server, decision: Decision, mapping: InstanceMapping | None
    ) -> RetryAfter | None:
        record = decision.build_record()
        entry = DecisionRecord(NO_VALID_HOST, record.wire())
        self.duty.check()
        if mapping is None:
            await self.api.bury_in_cell0(
                self.duty.term(),
                BuryRequest(
                    server=build_server_ref(server),
                    object_generation=server.metadata.generation,
                    decision=entry,
                ),
            )
        elif record != server.status.scheduling:
            await self.api.record_decision(self.duty.term(), server.metadata.uid, entry)
        message = (
            f"No host of {decision.hosts_considered} fits "
            f"({decision.explain() or 'there are none'}). Use a smaller flavor, or "
            "add or enable a host; it is placed as soon as one fits."
        )
        await self.statuses.write(
            server,
            build_no_valid_host(server, message, record, self.patience, now=self.now()),
        )
        return self._again(server, self.patience.no_valid_host_seconds)

    async def _refuse(
        self, server: Server, found: References, refused: KilonovaError
    ) -> RetryAfter | None:
        return await self._show_problem(server, _build_refusal(refused))

    async def _show_problem(
        self, server: Server, problem: Problem
    ) -> RetryAfter | None:
        self.duty.check()
        await self.statuses.write(
            server, build_problem(server, problem, self.patience, now=self.now())
        )
        return self._again(server, self.patience.reference_seconds)

    def _again(self, server: Server, grace_seconds: float) -> RetryAfter:
        """Come back when the grace time ends, and now and then after it."""
        left = seconds_left(server, self.now(), grace_seconds)
        return RetryAfter(min(left, _RETRY_SECONDS) if left > 0 else _RETRY_SECONDS)


def _build_refusal(refused: KilonovaError) -> Problem:
    return Problem(refused.reason, str(refused), waits=refused.retryable)


def _build_request(
    found: References, *, ignored: tuple[str, ...] = (), cell: str | None = None
) -> BuildRequest:
    if found.flavor is None or found.image is None:
        raise ValueError("a build needs a flavor and an image")
    return BuildRequest(
        amounts=build_amounts(found.flavor.spec),
        extra_specs=found.flavor.spec.extra_specs,
        image_properties=found.image.spec.properties,
        min_agent_version=MIN_AGENT_VERSION,
        ignored_hosts=frozenset(ignored),
        cell=cell,
    )


def _build_nics(server: Server, found: References) -> tuple[NicRequest, ...]:
    return tuple(
        NicRequest(
            name=nic.name,
            network_id=network.metadata.uid,
            address=nic.fixed_address,
        )
        for nic in server.spec.networks
        if (network := found.networks[nic.name]) is not None
    )
