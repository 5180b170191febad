"""The API database's metadata."""

from sqlalchemy import BigInteger, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kilonova_operator.storage.sql.columns import NAMING, TABLE_ARGS
from kilonova_operator.storage.sql.epoch_row import EpochColumns


class ApiBase(DeclarativeBase):
    """Every table of the API database."""

    metadata = MetaData(naming_convention=NAMING)


class ApiEpoch(EpochColumns, ApiBase):
    """The epoch row."""

    __tablename__ = "epoch"
    __table_args__ = (TABLE_ARGS,)

    store_version: Mapped[int] = mapped_column(BigInteger, default=0)
    """Highest resourceVersion seen of the API server's store."""
