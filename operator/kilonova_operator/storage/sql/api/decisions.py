"""The last decisions about each Server. Blocking."""

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from kilonova_operator.domain.placement import DecisionRecord
from kilonova_operator.storage.sql.api.schema import SchedulingDecisionRow

KEPT = 3


def add_decision(
    session: Session, server_uid: str, decision: DecisionRecord, *, now: datetime
) -> None:
    """Keep a decision; the ones before the last three go."""
    row, decided_at = SchedulingDecisionRow, decision.decided_at or now
    times = session.scalars(
        select(row.decided_at)
        .where(row.server_uid == server_uid)
        .order_by(row.decided_at.desc())
    ).all()
    if decided_at in times:  # kept before: the commit's answer was lost
        return
    if len(times) >= KEPT:
        session.execute(
            delete(row).where(
                row.server_uid == server_uid, row.decided_at <= times[KEPT - 1]
            ),
            execution_options={"synchronize_session": False},
        )
    insert_decision(session, server_uid, decision, now=now)


def insert_decision(
    session: Session, server_uid: str, decision: DecisionRecord, *, now: datetime
) -> None:
    """Write the first decision about a Server."""
    session.execute(
        insert(SchedulingDecisionRow).values(
            server_uid=server_uid,
            decided_at=decision.decided_at or now,
            outcome=decision.outcome,
            host=decision.host,
            record=dict(decision.record),
        )
    )


def list_decisions(session: Session, server_uid: str) -> list[DecisionRecord]:
    """List the last decisions, newest first."""
    row = SchedulingDecisionRow
    query = (
        select(row)
        .where(row.server_uid == server_uid)
        .order_by(row.decided_at.desc())
        .limit(KEPT)
    )
    return [
        DecisionRecord(
            outcome=found.outcome,
            record=found.record,
            host=found.host,
            decided_at=found.decided_at,
        )
        for found in session.scalars(query)
    ]


def forget_decisions(session: Session, server_uid: str) -> None:
    """Remove a Server's decisions."""
    session.execute(
        delete(SchedulingDecisionRow).where(
            SchedulingDecisionRow.server_uid == server_uid
        ),
        execution_options={"synchronize_session": False},
    )
