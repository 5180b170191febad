"""What follows from a failed build: another host, or ERROR.

Nova tells the two apart by exception: RescheduledException goes to the next
alternate, BuildAbortException ends in ERROR at once
(nova.compute.manager._do_build_and_run_instance, Nova 34).
"""

from enum import StrEnum

from kilonova_api.server_status import Fault

MAX_ATTEMPTS = 3
"""Hosts tried for one build, the first included ([scheduler]max_attempts)."""

USER_DATA_MISSING = "SecretNotFound"
"""An agent's word for a Secret with user data that is not there (yet)."""

NEVER_RETRIED = frozenset(
    {
        "ChecksumMismatch",
        "ImageRejected",
        "ImageTooLarge",
        "InvalidUrl",
        USER_DATA_MISSING,
    }
)
"""Faults of what was asked for: every host would fail alike."""


class FaultOutcome(StrEnum):
    """What the conductor does about a fault."""

    RESCHEDULE = "Reschedule"
    ERROR = "Error"


def decide_fault(
    fault: Fault, *, attempts: int, built: bool, max_attempts: int = MAX_ATTEMPTS
) -> FaultOutcome:
    """Decide on a fault of a guest that was tried on ``attempts`` hosts.

    built: the guest once had a disk of this build. It holds data then, and is
    never begun anew elsewhere.
    """
    if built or not fault.retryable or fault.reason in NEVER_RETRIED:
        return FaultOutcome.ERROR
    return FaultOutcome.RESCHEDULE if attempts < max_attempts else FaultOutcome.ERROR
