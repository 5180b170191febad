"""What super says of a Server that has no host (yet).

Whatever may come by itself is ``Reconciling`` for a grace time and ``Stalled``
after it, so that ``helm install --wait`` neither fails on an object that
follows a second later nor waits for one that never comes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kilonova_api.server import Server
from kilonova_api.server_status import SchedulingRecord
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.servers.references import Problem
from kilonova_operator.domain.servers.server_status import (
    SUSPENDED,
    WAITING_FIELDS,
    StatusWrite,
    Verdict,
    build_status,
    stalled,
    waiting,
)

WAITING_FOR_REFERENCE = "WaitingForReference"
NO_VALID_HOST = "NoValidHost"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what may come by itself is waited for, since creation."""

    reference_seconds: float = 60.0
    no_valid_host_seconds: float = 120.0


def seconds_left(server: Server, now: datetime, grace_seconds: float) -> float:
    """Return what is left of a grace time, 0 when it is over.

    ``now`` is the API server's time, as the creation stamp is.
    """
    created = server.metadata.creation_timestamp
    if created is None:
        return grace_seconds
    left = created + timedelta(seconds=grace_seconds) - now
    return max(0.0, left.total_seconds())


def find_grace(problem: Problem, patience: Patience) -> float:
    """Return how long a problem may last before it is Stalled."""
    if problem.grace_seconds is not None:
        return problem.grace_seconds
    return patience.reference_seconds


def build_problem(
    server: Server, problem: Problem, patience: Patience, *, now: datetime
) -> StatusWrite:
    """Build the status of a Server that cannot be built as it is."""
    grace = find_grace(problem, patience)
    if problem.waits and seconds_left(server, now, grace) > 0:
        usual = problem.grace_seconds is None
        reason = WAITING_FOR_REFERENCE if usual else problem.reason
        verdicts = waiting(reason, problem.message)
    else:
        verdicts = stalled(problem.reason, problem.message)
    return build_waiting(server, verdicts, now=now)


def build_no_valid_host(
    server: Server, decision: Decision, patience: Patience, *, now: datetime
) -> StatusWrite:
    """Build the status of a Server that fits on no host now."""
    grace = patience.no_valid_host_seconds
    judge = waiting if seconds_left(server, now, grace) > 0 else stalled
    message = (
        f"No host of {decision.hosts_considered} fits "
        f"({decision.explain() or 'there are none'}). {_advise(decision)}; it is "
        "placed as soon as one fits."
    )
    verdicts = judge(NO_VALID_HOST, message)
    return build_waiting(server, verdicts, now=now, scheduling=decision.build_record())


def _advise(decision: Decision) -> str:
    """Say what would help: a smaller guest only where room is what some host lacks."""
    if not decision.rejections or decision.lacks_room:
        return "Use a smaller flavor, or add or enable a host"
    return (
        "status.scheduling says what was asked for: create it with other wishes, or "
        "add or enable a host that meets them"
    )


def build_waiting(
    server: Server,
    verdicts: tuple[Verdict, ...],
    *,
    now: datetime,
    scheduling: SchedulingRecord | None = None,
) -> StatusWrite:
    """Build what super says while there is no host."""
    ready = verdicts[0]
    status = build_status(
        server,
        verdicts,
        now=now,
        state="BUILD",
        task="scheduling",
        why=ready.reason,
        scheduling=scheduling,
    )
    return StatusWrite(status, WAITING_FIELDS)


def build_suspended(server: Server, *, now: datetime) -> StatusWrite:
    """Build the status of a Server that was suspended before it had a host."""
    ready = Verdict(
        "Ready",
        "False",
        "Suspended",
        "Nothing is built while spec.suspend is true.",
    )
    return build_waiting(
        server, (ready, SUSPENDED), now=now, scheduling=server.status.scheduling
    )
