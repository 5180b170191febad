"""What is said of a cell."""

from dataclasses import dataclass

from kilonova_operator.domain.conditions import Judgement, ready, stalled, unknown


@dataclass(frozen=True, slots=True)
class CellFacts:
    """Everything that the judgement of a cell rests on."""

    name: str
    configured: bool
    """It has a database and is served here."""
    database_problem: str | None = None
    frozen: tuple[str, str] | None = None
    """Reason and message of the freeze that holds it."""
    silent_hosts: bool = False


def judge_cell(facts: CellFacts) -> Judgement:
    """Return the cell's Ready condition."""
    if not facts.configured:
        return stalled(
            "CellNotConfigured",
            f"Nobody serves cell {facts.name}: it has no database. Add it to the "
            "chart's cells.names, or delete this object.",
        )
    if facts.database_problem is not None:
        return unknown("DatabaseUnavailable", facts.database_problem)
    if facts.frozen is not None:
        reason, message = facts.frozen
        return Judgement("False", reason, message)
    if facts.silent_hosts:
        return Judgement(
            "False",
            "TooManyHostsSilent",
            "So many hosts are silent at once that none is called down. Look at "
            "the network between hosts and API server.",
        )
    return ready("Serving")
