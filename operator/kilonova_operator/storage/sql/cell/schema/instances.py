"""The order book: the last order about every guest of the cell."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kilonova_operator.storage.sql.cell.schema.base import CellBase
from kilonova_operator.storage.sql.columns import (
    TABLE_ARGS,
    JsonText,
    Label,
    Name,
    Uid,
    UtcDateTime,
)


class InstanceRow(CellBase):
    """A guest, its Server, and what its host was told last."""

    __tablename__ = "instances"
    __table_args__ = (Index(None, "host", "instance_uuid"), TABLE_ARGS)

    instance_uuid: Mapped[str] = mapped_column(String(36), primary_key=True)
    server_uid: Mapped[str] = mapped_column(Uid, index=True)
    namespace: Mapped[str] = mapped_column(Label)
    name: Mapped[str] = mapped_column(Name)
    namespace_uid: Mapped[str] = mapped_column(Uid)
    host: Mapped[str | None] = mapped_column(Name)
    placement_generation: Mapped[int] = mapped_column(BigInteger)
    object_generation: Mapped[int] = mapped_column(BigInteger)
    instance_spec: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    server_spec: Mapped[dict[str, Any]] = mapped_column(JsonText)
    state: Mapped[str] = mapped_column(String(16))
    booked_at: Mapped[datetime] = mapped_column(UtcDateTime)
