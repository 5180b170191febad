"""Cells and the hosts in them."""

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kilonova_operator.storage.sql.api.schema.base import ApiBase
from kilonova_operator.storage.sql.columns import TABLE_ARGS, Label, Name


class CellMappingRow(ApiBase):
    """A cell; cell0's uuid is all zeros."""

    __tablename__ = "cell_mappings"
    __table_args__ = (UniqueConstraint("uuid"), TABLE_ARGS)

    name: Mapped[str] = mapped_column(Label, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36))
    enabled: Mapped[bool]
    database_id: Mapped[str] = mapped_column(String(36))


class HostMappingRow(ApiBase):
    """The cell of a host."""

    __tablename__ = "host_mappings"
    __table_args__ = (TABLE_ARGS,)

    host: Mapped[str] = mapped_column(Name, primary_key=True)
    cell: Mapped[str] = mapped_column(Label, index=True)
