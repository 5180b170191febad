"""The order book. Blocking."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from kilonova_operator.domain.order_book import Booking
from kilonova_operator.domain.placement import ServerRef
from kilonova_operator.domain.refusals import BookingOutdated
from kilonova_operator.storage.sql.cell.schema import InstanceRow


def book(session: Session, booking: Booking, *, now: datetime) -> None:
    """Write the last order about a guest.

    Raises:
        BookingOutdated: a newer placement is booked.
    """
    booked = session.scalars(
        select(InstanceRow.placement_generation).where(
            InstanceRow.instance_uuid == booking.instance_uuid
        )
    ).first()
    columns = _columns(booking, now)
    if booked is None:
        session.execute(insert(InstanceRow).values(**columns))
        return
    if booking.placement_generation < booked:
        raise BookingOutdated(
            booking.instance_uuid, booking.placement_generation, booked
        )
    session.execute(
        update(InstanceRow)
        .where(InstanceRow.instance_uuid == booking.instance_uuid)
        .values(**columns),
        execution_options={"synchronize_session": False},
    )


def forget(session: Session, instance_uuid: str) -> None:
    """Remove a guest from the order book."""
    session.execute(
        delete(InstanceRow).where(InstanceRow.instance_uuid == instance_uuid),
        execution_options={"synchronize_session": False},
    )


def find_booking(session: Session, instance_uuid: str) -> Booking | None:
    """Return the last order about a guest."""
    row = session.get(InstanceRow, instance_uuid)
    return None if row is None else _booking_of(row)


def list_bookings(
    session: Session, *, host: str | None, after: str, limit: int
) -> list[Booking]:
    """List one page by uuid."""
    query = select(InstanceRow).where(InstanceRow.instance_uuid > after)
    if host is not None:
        query = query.where(InstanceRow.host == host)
    query = query.order_by(InstanceRow.instance_uuid).limit(limit)
    return [_booking_of(row) for row in session.scalars(query)]


def _columns(booking: Booking, now: datetime) -> dict[str, Any]:
    spec = booking.instance_spec
    return {
        "instance_uuid": booking.instance_uuid,
        "server_uid": booking.server.uid,
        "namespace": booking.server.namespace,
        "name": booking.server.name,
        "namespace_uid": booking.server.namespace_uid,
        "host": booking.host,
        "placement_generation": booking.placement_generation,
        "object_generation": booking.object_generation,
        "instance_spec": None if spec is None else dict(spec),
        "server_spec": dict(booking.server_spec),
        "state": booking.state,
        "booked_at": booking.booked_at or now,
    }


def _booking_of(row: InstanceRow) -> Booking:
    return Booking(
        instance_uuid=row.instance_uuid,
        server=ServerRef(
            uid=row.server_uid,
            namespace=row.namespace,
            name=row.name,
            namespace_uid=row.namespace_uid,
        ),
        host=row.host,
        placement_generation=row.placement_generation,
        object_generation=row.object_generation,
        instance_spec=row.instance_spec,
        server_spec=row.server_spec,
        state=row.state,
        booked_at=row.booked_at,
    )
