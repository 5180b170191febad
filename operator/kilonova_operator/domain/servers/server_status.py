"""Status fields of a Server by writer.

``kilonova-super`` writes until a cell is mapped; then the cell's link does. A
field manager cannot take out what another one set, so each writes a set of
fields of its own, and the last write of super carries nothing that the link
would have to take away.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kilonova_api.meta import Condition
from kilonova_api.server import Server
from kilonova_api.server_status import ServerStatus
from kilonova_operator.domain.conditions import (
    ConditionStatus,
    Judgement,
    build_condition,
)

WAITING_FIELDS = frozenset(
    {"observed_generation", "conditions", "state", "task", "why", "scheduling"}
)
"""Set by super while there is no host."""

PLACEMENT_FIELDS = frozenset(
    {
        "observed_generation",
        "conditions",
        "state",
        "uuid",
        "cell",
        "host",
        "zone",
        "placement_generation",
        "flavor",
        "address",
        "nics",
        "scheduling",
    }
)
"""Set by super with each claim."""

LINK_FIELDS = frozenset(
    {
        "observed_generation",
        "conditions",
        "state",
        "task",
        "power_state",
        "fault",
        "why",
        "launched_at",
        "last_handled_reconcile_at",
    }
)
"""Set by the cell's link, from the Instance."""

# The bound of Fault.message, which often is the same text.
_MOST_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition that is wanted, before it has a time."""

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""


SUSPENDED = Verdict(
    "Suspended",
    "True",
    "SuspendRequested",
    "spec.suspend is true: changes wait; the guest itself goes on.",
)


def waiting(reason: str, message: str) -> tuple[Verdict, Verdict]:
    """Judge: not so yet, heals or goes on by itself."""
    return (
        Verdict("Ready", "False", reason, message),
        Verdict("Reconciling", "True", reason, message),
    )


def stalled(reason: str, message: str) -> tuple[Verdict, Verdict]:
    """Judge: somebody has to change something."""
    return (
        Verdict("Ready", "False", reason, message),
        Verdict("Stalled", "True", reason, message),
    )


@dataclass(frozen=True, slots=True)
class StatusWrite:
    """Some fields of a status: those of one writer."""

    status: ServerStatus
    fields: frozenset[str]

    def wire(self) -> dict[str, Any]:
        """Build the fields as server-side apply takes them."""
        return self.status.model_dump(
            mode="json", by_alias=True, exclude_none=True, include=set(self.fields)
        )


def build_status(
    server: Server,
    verdicts: Iterable[Verdict],
    *,
    now: datetime,
    observed_generation: int | None = None,
    **fields: Any,
) -> ServerStatus:
    """Build a status; it speaks of the generation that was read unless told."""
    observed = (
        server.metadata.generation
        if observed_generation is None
        else observed_generation
    )
    return ServerStatus(
        observed_generation=observed,
        conditions=_conditions(server, verdicts, observed, now),
        **fields,
    )


def _conditions(
    server: Server, verdicts: Iterable[Verdict], generation: int, now: datetime
) -> tuple[Condition, ...]:
    return tuple(
        build_condition(
            verdict.type,
            Judgement(
                verdict.status, verdict.reason, verdict.message[:_MOST_CHARACTERS]
            ),
            current=server.status.condition(verdict.type),
            generation=generation,
            now=now,
        )
        for verdict in verdicts
    )
