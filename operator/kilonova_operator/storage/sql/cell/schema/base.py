"""The metadata of a cell's database."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from kilonova_operator.storage.sql.columns import NAMING, TABLE_ARGS
from kilonova_operator.storage.sql.epoch_row import EpochColumns


class CellBase(DeclarativeBase):
    """Every table of a cell's database."""

    metadata = MetaData(naming_convention=NAMING)


class CellEpoch(EpochColumns, CellBase):
    """The epoch row."""

    __tablename__ = "epoch"
    __table_args__ = (TABLE_ARGS,)
