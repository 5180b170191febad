"""The last decisions about each Server. Blocking."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, tuple_
from sqlalchemy.orm import Session

from kilonova_operator.domain.placement import DecisionRecord
from kilonova_operator.storage.sql.api.host_records import (
    forget_records,
    forget_records_of,
)
from kilonova_operator.storage.sql.api.schema import SchedulingDecisionRow
from kilonova_operator.storage.sql.bulk import insert_rows

KEPT = 3

Decisions = Mapping[str, DecisionRecord]
"""By Server uid."""


def add_decisions(
    connection: Connection, decisions: Decisions, *, now: datetime
) -> None:
    """Keep decisions; of each Server the ones before the last three go."""
    if not decisions:
        return
    row = SchedulingDecisionRow
    times: dict[str, list[datetime]] = {}
    for uid, decided_at in connection.execute(
        select(row.server_uid, row.decided_at)
        .where(row.server_uid.in_(bindparam("uids", expanding=True)))
        .order_by(row.decided_at.desc()),
        {"uids": sorted(decisions)},
    ):
        times.setdefault(uid, []).append(decided_at)
    # One that is there was kept before: the commit's answer was lost.
    new = {
        uid: decision
        for uid, decision in decisions.items()
        if (decision.decided_at or now) not in times.get(uid, ())
    }
    old = [(uid, at) for uid in new for at in times.get(uid, ())[KEPT - 1 :]]
    if old:
        connection.execute(
            delete(row).where(
                row.server_uid.in_(sorted({uid for uid, _ in old})),
                tuple_(row.server_uid, row.decided_at).in_(old),
            )
        )
        forget_records(connection, old)
    insert_decisions(connection, new, now=now)


def insert_decisions(
    connection: Connection, decisions: Decisions, *, now: datetime
) -> None:
    """Write decisions of Servers that have no older ones to make room."""
    rows = [
        {
            "server_uid": uid,
            "decided_at": decision.decided_at or now,
            "outcome": decision.outcome,
            "host": decision.host,
            "record": dict(decision.record),
        }
        for uid, decision in decisions.items()
    ]
    insert_rows(connection, SchedulingDecisionRow, rows)


def add_decision(
    session: Session, server_uid: str, decision: DecisionRecord, *, now: datetime
) -> None:
    """Keep one decision."""
    add_decisions(session.connection(), {server_uid: decision}, now=now)


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
    """Remove a Server's decisions, and their hosts."""
    session.execute(
        delete(SchedulingDecisionRow).where(
            SchedulingDecisionRow.server_uid == server_uid
        ),
        execution_options={"synchronize_session": False},
    )
    forget_records_of(session.connection(), server_uid)
