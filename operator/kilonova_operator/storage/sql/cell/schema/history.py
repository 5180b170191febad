"""What was done to guests and what failed; swept when it is old."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kilonova_operator.storage.sql.cell.schema.base import CellBase
from kilonova_operator.storage.sql.columns import (
    TABLE_ARGS,
    Name,
    RowId,
    UtcDateTime,
)


class InstanceActionRow(CellBase):
    """One action, as in Nova."""

    __tablename__ = "instance_actions"
    __table_args__ = (UniqueConstraint("instance_uuid", "request_id"), TABLE_ARGS)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    instance_uuid: Mapped[str] = mapped_column(String(36))
    request_id: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    requested_by: Mapped[str] = mapped_column(Name)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    message: Mapped[str] = mapped_column(Text)


class InstanceActionEventRow(CellBase):
    """One step of an action."""

    __tablename__ = "instance_actions_events"
    __table_args__ = (TABLE_ARGS,)

    action_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    result: Mapped[str | None] = mapped_column(String(64))
    host: Mapped[str | None] = mapped_column(Name)
    details: Mapped[str] = mapped_column(Text)


class InstanceFaultRow(CellBase):
    """One failure of a guest."""

    __tablename__ = "instance_faults"
    __table_args__ = (Index(None, "happened_at"), TABLE_ARGS)

    instance_uuid: Mapped[str] = mapped_column(String(36), primary_key=True)
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    reason: Mapped[str] = mapped_column(String(128), primary_key=True)
    code: Mapped[int] = mapped_column(BigInteger)
    message: Mapped[str] = mapped_column(Text)
    host: Mapped[str | None] = mapped_column(Name)
