"""The epoch row's columns, alike in every database."""

from sqlalchemy import BigInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kilonova_operator.storage.sql.columns import Name, Uid

EPOCH_ID = 1
_REASON_CHARACTERS = 64


class EpochColumns:
    """One row: who owns the database, who may write, and how often it was written."""

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    database_id: Mapped[str] = mapped_column(String(36))
    owner_cluster_uid: Mapped[str] = mapped_column(Uid, default="")
    owner_release: Mapped[str] = mapped_column(Name, default="")
    term: Mapped[int] = mapped_column(BigInteger, default=0)
    nonce: Mapped[str] = mapped_column(String(36), default="")
    role: Mapped[str] = mapped_column(Name, default="")
    holder: Mapped[str] = mapped_column(Name, default="")
    tick: Mapped[int] = mapped_column(BigInteger, default=0)
    frozen_reason: Mapped[str] = mapped_column(String(_REASON_CHARACTERS), default="")
    frozen_message: Mapped[str] = mapped_column(Text, default="")
