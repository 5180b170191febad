"""Servers that got no host, or no other one: parked or left, and told why."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kilonova_api.server import Server
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.placement import (
    BuryRequest,
    DecisionRecord,
    InstanceMapping,
)
from kilonova_operator.domain.refusals import QuotaExceeded
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.servers.obstacles import build_obstacle
from kilonova_operator.domain.servers.references import Problem
from kilonova_operator.domain.servers.server_ref import build_server_ref
from kilonova_operator.domain.servers.waiting import (
    NO_VALID_HOST,
    Patience,
    build_no_valid_host,
    build_problem,
    find_grace,
    seconds_left,
)
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.host_recorder import (
    HOSTS_NOT_KEPT,
    HostRecorder,
)
from kilonova_operator.services.servers.placement_status import PlacementStatus
from kilonova_operator.services.stores import ApiStore

RETRY_SECONDS = 30.0
"""What cannot wake us (Secrets, addresses) is looked at again this often."""
QUOTA_GRACE_SECONDS = 60.0
"""Another Server may be about to go."""

MAX_RETRIES_EXCEEDED = "MaxRetriesExceeded"


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Writes why a Server has no host, and says when to try again."""

    api: ApiStore
    duty: Duty
    recorder: HostRecorder
    statuses: PlacementStatus
    patience: Patience
    now: Callable[[], datetime]

    async def bury(
        self,
        server: Server,
        decision: Decision,
        mapping: InstanceMapping | None,
        *,
        grace_seconds: float | None = None,
    ) -> RetryAfter:
        """Park a Server in cell0: no host fits.

        grace_seconds: how long that may last before it is Stalled, if not as usual.
        """
        patience = self.patience
        if grace_seconds is not None:
            patience = replace(patience, no_valid_host_seconds=grace_seconds)
        record, uid = decision.build_record(), server.metadata.uid
        entry = self.recorder.build_entry(NO_VALID_HOST, decision)
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
            self.recorder.keep(uid, entry, decision)
        elif record != server.status.scheduling:
            await self.api.record_decision(self.duty.term(), uid, entry)
            self.recorder.keep(uid, entry, decision)
        await self.statuses.write(
            server,
            build_no_valid_host(server, decision, patience, now=self.now()),
        )
        return self._again(server, patience.no_valid_host_seconds)

    async def show_problem(self, server: Server, problem: Problem) -> RetryAfter:
        """Say in status what stands in the way of a host."""
        self.duty.check()
        await self.statuses.write(
            server, build_problem(server, problem, self.patience, now=self.now())
        )
        return self._again(server, find_grace(problem, self.patience))

    async def note_obstacle(self, server: Server, problem: Problem) -> RetryAfter:
        """Let the cell say why a failed build stays where it is."""
        await self._note_decision(server, build_obstacle(problem))
        return RetryAfter(RETRY_SECONDS)

    async def note_no_other(
        self, server: Server, decision: Decision, mapping: InstanceMapping
    ) -> None:
        """Note that no other host can take a build that failed."""
        entry = self.recorder.build_entry(
            MAX_RETRIES_EXCEEDED, decision, attempts=mapping.attempt
        )
        if await self._note_decision(server, entry):
            self.recorder.keep(server.metadata.uid, entry, decision)

    async def _note_decision(self, server: Server, decision: DecisionRecord) -> bool:
        """Record a decision that differs from the last one; False: it does not."""
        uid = server.metadata.uid
        known = next(iter(await self.api.list_decisions(uid)), None)
        if known is not None and _tell(known) == _tell(decision):
            return False
        self.duty.check()
        await self.api.record_decision(self.duty.term(), uid, decision)
        return True

    def _again(self, server: Server, grace_seconds: float) -> RetryAfter:
        """Come back when the grace time ends, and now and then after it."""
        left = seconds_left(server, self.now(), grace_seconds)
        return RetryAfter(min(left, RETRY_SECONDS) if left > 0 else RETRY_SECONDS)


def _tell(entry: DecisionRecord) -> tuple[str, dict[str, Any]]:
    """Return what a decision says of the Server, whatever is kept of its hosts."""
    record = {k: part for k, part in entry.record.items() if k != HOSTS_NOT_KEPT}
    return entry.outcome, record


def build_refusal(refused: KilonovaError) -> Problem:
    """Return a refusal as the problem that people read."""
    # Nobody forgot to create anything: the quota itself is named from the start.
    grace = QUOTA_GRACE_SECONDS if isinstance(refused, QuotaExceeded) else None
    return Problem(
        refused.reason, str(refused), waits=refused.retryable, grace_seconds=grace
    )
