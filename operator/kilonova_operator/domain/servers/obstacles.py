"""Why a failed build gets no other host, as a decision keeps it.

Super decides on other hosts, and the cell speaks for a Server that has one: the
record of the decision carries the reason from the one to the other.
"""

from kilonova_operator.domain.placement import DecisionRecord
from kilonova_operator.domain.servers.references import Problem

RESCHEDULE_BLOCKED = "RescheduleBlocked"


def build_obstacle(problem: Problem) -> DecisionRecord:
    """Build the decision that a failed build stays where it is for now."""
    record = {
        "reason": problem.reason,
        "message": problem.message,
        "waits": problem.waits,
    }
    return DecisionRecord(RESCHEDULE_BLOCKED, record)


def find_obstacle(decision: DecisionRecord | None) -> Problem | None:
    """Return what keeps a failed build where it is; None for other decisions."""
    if decision is None or decision.outcome != RESCHEDULE_BLOCKED:
        return None
    record = decision.record
    return Problem(record["reason"], record["message"], waits=record["waits"])
