"""The hosts of the last decisions about each Server. Blocking.

They are written after their decision and go with it. Whoever removes a decision
removes it before its hosts, and whoever adds hosts locks their decision first: so
none stay behind of a decision that is gone.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, tuple_, update
from sqlalchemy.orm import Session

from kilonova_operator.domain.host_records import HostRecord
from kilonova_operator.domain.scheduling.roster import PackedRoster
from kilonova_operator.storage.sql.api.schema import (
    HostRecordRow,
    HostRosterRow,
    SchedulingDecisionRow,
)
from kilonova_operator.storage.sql.bulk import insert_rows
from kilonova_operator.storage.sql.epoch import count_changed

DecisionKey = tuple[str, datetime]
"""A Server's uid and the moment of the decision."""


def keep_records(
    session: Session, records: Sequence[HostRecord], *, now: datetime
) -> None:
    """Write the hosts of those decisions that are still kept; may run twice."""
    connection = session.connection()
    uids = sorted({record.server_uid for record in records})
    kept = _lock_decisions(connection, uids)
    there = _list_keys(connection, uids)
    new = [
        record
        for record in records
        if _key_of(record) in kept and _key_of(record) not in there
    ]
    for roster in {record.roster.digest: record.roster for record in new}.values():
        _ensure_roster(connection, roster, now=now)
    rows = [
        {
            "server_uid": record.server_uid,
            "decided_at": record.decided_at,
            "roster": record.roster.digest,
            "host_table": record.table,
        }
        for record in new
    ]
    insert_rows(connection, HostRecordRow, rows)


def list_records(session: Session, server_uid: str) -> list[HostRecord]:
    """List the hosts of a Server's decisions, newest first."""
    record, roster = HostRecordRow, HostRosterRow
    query = (
        select(record, roster)
        .join(roster, roster.digest == record.roster)
        .where(record.server_uid == server_uid)
        .order_by(record.decided_at.desc())
    )
    return [
        HostRecord(
            server_uid=found.server_uid,
            decided_at=found.decided_at,
            roster=PackedRoster(names.digest, names.body),
            table=found.host_table,
        )
        for found, names in session.execute(query)
    ]


def forget_records(connection: Connection, keys: Collection[DecisionKey]) -> None:
    """Remove the hosts of decisions that were just removed."""
    row = HostRecordRow
    connection.execute(
        delete(row).where(
            row.server_uid.in_(sorted({uid for uid, _ in keys})),
            tuple_(row.server_uid, row.decided_at).in_(list(keys)),
        )
    )


def forget_records_of(connection: Connection, server_uid: str) -> None:
    """Remove the hosts of all decisions about a Server; those went before."""
    connection.execute(
        delete(HostRecordRow).where(HostRecordRow.server_uid == server_uid)
    )


def sweep_rosters(session: Session, *, before: datetime) -> int:
    """Remove names that no record needs and no writer used since ``before``."""
    needed = select(HostRecordRow.server_uid).where(
        HostRecordRow.roster == HostRosterRow.digest
    )
    return count_changed(
        session,
        delete(HostRosterRow).where(HostRosterRow.used_at < before, ~needed.exists()),
    )


def _key_of(record: HostRecord) -> DecisionKey:
    return record.server_uid, record.decided_at


def _lock_decisions(connection: Connection, uids: Sequence[str]) -> set[DecisionKey]:
    row = SchedulingDecisionRow
    query = (
        select(row.server_uid, row.decided_at)
        .where(row.server_uid.in_(uids))
        .with_for_update()
    )
    return _read_keys(connection.execute(query))


def _list_keys(connection: Connection, uids: Sequence[str]) -> set[DecisionKey]:
    row = HostRecordRow
    query = select(row.server_uid, row.decided_at).where(row.server_uid.in_(uids))
    return _read_keys(connection.execute(query))


def _read_keys(rows: Iterable[Sequence[object]]) -> set[DecisionKey]:
    return {(uid, moment) for uid, moment in rows}  # type: ignore[misc]


def _ensure_roster(
    connection: Connection, roster: PackedRoster, *, now: datetime
) -> None:
    row = HostRosterRow
    # The row's lock also holds back a sweep until our records are there.
    used = connection.execute(
        update(row).where(row.digest == roster.digest).values(used_at=now)
    )
    if used.rowcount == 0:
        connection.execute(
            insert(row).values(digest=roster.digest, body=roster.body, used_at=now)
        )
