"""Actions and faults of guests. Blocking."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from kilonova_operator.domain.order_book import Action, ActionEvent, InstanceFault
from kilonova_operator.storage.sql.cell.schema import (
    InstanceActionEventRow,
    InstanceActionRow,
    InstanceFaultRow,
)
from kilonova_operator.storage.sql.epoch import count_changed

SWEPT_AT_ONCE = 1000
"""Actions of one sweep; a longer delete would hold locks for seconds."""


def record_action(session: Session, action: Action) -> None:
    """Write an action with its events, in place of what was recorded of it."""
    row = InstanceActionRow
    action_id = session.scalars(
        select(row.id).where(
            row.instance_uuid == action.instance_uuid,
            row.request_id == action.request_id,
        )
    ).first()
    if action_id is None:
        made = InstanceActionRow(**_columns(action))
        session.add(made)
        session.flush()
        action_id = made.id
    else:
        session.execute(
            update(row).where(row.id == action_id).values(**_columns(action)),
            execution_options={"synchronize_session": False},
        )
        _delete_events(session, [action_id])
    if action.events:
        session.execute(
            insert(InstanceActionEventRow),
            [
                _event_columns(event) | {"action_id": action_id, "position": position}
                for position, event in enumerate(action.events)
            ],
        )


def list_actions(session: Session, instance_uuid: str) -> list[Action]:
    """List a guest's actions, newest first."""
    row = InstanceActionRow
    rows = session.scalars(
        select(row)
        .where(row.instance_uuid == instance_uuid)
        .order_by(row.started_at.desc(), row.id.desc())
    ).all()
    event = InstanceActionEventRow
    events: dict[int, list[ActionEvent]] = defaultdict(list)
    for found in session.scalars(
        select(event)
        .where(event.action_id.in_([action.id for action in rows]))
        .order_by(event.action_id, event.position)
    ):
        events[found.action_id].append(_event_of(found))
    return [_action_of(found, tuple(events[found.id])) for found in rows]


def record_fault(session: Session, fault: InstanceFault) -> None:
    """Write a failure once."""
    row = InstanceFaultRow
    key = (fault.instance_uuid, fault.happened_at, fault.reason)
    if session.get(row, key) is None:
        session.execute(
            insert(row).values(
                instance_uuid=fault.instance_uuid,
                happened_at=fault.happened_at,
                reason=fault.reason,
                code=fault.code,
                message=fault.message,
                host=fault.host,
            )
        )


def list_faults(session: Session, instance_uuid: str) -> list[InstanceFault]:
    """List a guest's failures, newest first."""
    row = InstanceFaultRow
    query = (
        select(row)
        .where(row.instance_uuid == instance_uuid)
        .order_by(row.happened_at.desc())
    )
    return [
        InstanceFault(
            instance_uuid=found.instance_uuid,
            code=found.code,
            reason=found.reason,
            message=found.message,
            host=found.host,
            happened_at=found.happened_at,
        )
        for found in session.scalars(query)
    ]


def sweep(session: Session, *, before: datetime) -> int:
    """Remove old actions, a bounded number of them, and old faults."""
    row = InstanceActionRow
    old = session.scalars(
        select(row.id)
        .where(row.started_at < before)
        .order_by(row.id)
        .limit(SWEPT_AT_ONCE)
    ).all()
    if old:
        _delete_events(session, list(old))
        session.execute(
            delete(row).where(row.id.in_(old)),
            execution_options={"synchronize_session": False},
        )
    faults = count_changed(
        session, delete(InstanceFaultRow).where(InstanceFaultRow.happened_at < before)
    )
    return len(old) + faults


def _delete_events(session: Session, action_ids: list[int]) -> None:
    session.execute(
        delete(InstanceActionEventRow).where(
            InstanceActionEventRow.action_id.in_(action_ids)
        ),
        execution_options={"synchronize_session": False},
    )


def _columns(action: Action) -> dict[str, Any]:
    return {
        "instance_uuid": action.instance_uuid,
        "request_id": action.request_id,
        "action": action.action,
        "requested_by": action.requested_by,
        "started_at": action.started_at,
        "finished_at": action.finished_at,
        "message": action.message,
    }


def _event_columns(event: ActionEvent) -> dict[str, Any]:
    return {
        "event": event.event,
        "started_at": event.started_at,
        "finished_at": event.finished_at,
        "result": event.result,
        "host": event.host,
        "details": event.details,
    }


def _event_of(row: InstanceActionEventRow) -> ActionEvent:
    return ActionEvent(
        event=row.event,
        started_at=row.started_at,
        finished_at=row.finished_at,
        result=row.result,
        host=row.host,
        details=row.details,
    )


def _action_of(row: InstanceActionRow, events: tuple[ActionEvent, ...]) -> Action:
    return Action(
        instance_uuid=row.instance_uuid,
        action=row.action,
        request_id=row.request_id,
        started_at=row.started_at,
        requested_by=row.requested_by,
        finished_at=row.finished_at,
        message=row.message,
        events=events,
    )
