"""Conditions as kstatus reads them, built without I/O.

``Ready`` is always there. ``Reconciling`` (work goes on) and ``Stalled`` (a
person or another object must change something) are there only while True.
``lastTransitionTime`` moves when the status changes and at no other time: a
new reason or message is no transition, and an unchanged judgement is no write.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from kilonova_api.meta import Condition

READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"

ConditionStatus = Literal["True", "False", "Unknown"]
# The CRD's bound; longer texts come from other programs' errors.
_MOST_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is found about an object: a reason for programs, a message for people."""

    status: ConditionStatus
    reason: str
    message: str = ""
    also: Literal["Reconciling", "Stalled"] | None = None
    """The condition that stands beside Ready, with the same reason."""


def ready(reason: str, message: str = "") -> Judgement:
    """Judge that what the spec asks for is so."""
    return Judgement("True", reason, message)


def reconciling(reason: str, message: str) -> Judgement:
    """Judge that it is not so yet and heals or goes on by itself."""
    return Judgement("False", reason, message, also=RECONCILING)


def stalled(reason: str, message: str) -> Judgement:
    """Judge that it will not be so until somebody changes something."""
    return Judgement("False", reason, message, also=STALLED)


def unknown(reason: str, message: str) -> Judgement:
    """Judge that nobody can tell now."""
    return Judgement("Unknown", reason, message)


def build_conditions(
    judgement: Judgement,
    *,
    current: Iterable[Condition],
    generation: int,
    now: datetime,
) -> tuple[Condition, ...]:
    """Return Ready and what stands beside it, times kept where nothing changed."""
    wanted = [(READY, judgement.status)]
    if judgement.also is not None:
        wanted.append((judgement.also, "True"))
    before = {condition.type: condition for condition in current}
    return tuple(
        build_condition(
            type_,
            Judgement(status, judgement.reason, judgement.message),
            current=before.get(type_),
            generation=generation,
            now=now,
        )
        for type_, status in wanted
    )


def build_condition(
    type_: str,
    judgement: Judgement,
    *,
    current: Condition | None,
    generation: int,
    now: datetime,
) -> Condition:
    """Return one condition; its time is that of ``current`` if the status is."""
    unchanged = current is not None and current.status == judgement.status
    # Whole seconds: the API server's format for metav1.Time has no others, and
    # a time that comes back shortened would look like a change.
    since = (
        current.last_transition_time
        if unchanged and current is not None
        else now.replace(microsecond=0)
    )
    return Condition(
        type=type_,
        status=judgement.status,
        observed_generation=generation,
        last_transition_time=since,
        reason=judgement.reason,
        message=judgement.message[:_MOST_CHARACTERS],
    )
