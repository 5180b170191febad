"""What is said of a cell."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.meta import Condition
from kilonova_operator.domain.conditions import (
    Judgement,
    build_condition,
    build_conditions,
    ready,
    stalled,
    unknown,
)
from kilonova_operator.domain.servers.lost import SERVERS_LOST


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
    lost_servers: str = ""
    """What is said of rows that nothing speaks of any more."""


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


def build_cell_conditions(
    facts: CellFacts, *, current: Iterable[Condition], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Return the cell's conditions: Ready, and ServersLost while it has any."""
    before = tuple(current)
    conditions = build_conditions(
        judge_cell(facts), current=before, generation=generation, now=now
    )
    if not facts.lost_servers:
        return conditions
    lost = build_condition(
        SERVERS_LOST,
        Judgement("True", SERVERS_LOST, facts.lost_servers),
        current=next((c for c in before if c.type == SERVERS_LOST), None),
        generation=generation,
        now=now,
    )
    return (*conditions, lost)
