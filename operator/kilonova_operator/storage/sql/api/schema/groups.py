"""Server groups, and which placements of their members hold something."""

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kilonova_operator.storage.sql.api.schema.base import ApiBase
from kilonova_operator.storage.sql.columns import TABLE_ARGS, Label, Name, Uid


class ServerGroupRow(ApiBase):
    """A group that somebody was claimed for. Its row is the lock of its policy."""

    __tablename__ = "server_groups"
    __table_args__ = (TABLE_ARGS,)

    group_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    generation: Mapped[int] = mapped_column(BigInteger)
    policy: Mapped[str] = mapped_column(String(32))
    topology: Mapped[str] = mapped_column(String(16))
    max_per_domain: Mapped[int]


class GroupMemberRow(ApiBase):
    """A placement of a member; it goes with the placement's allocations."""

    __tablename__ = "group_members"
    __table_args__ = (
        Index(None, "group_uid", "host"),
        Index(None, "group_uid", "zone"),
        TABLE_ARGS,
    )

    server_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    placement_generation: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False
    )
    group_uid: Mapped[str] = mapped_column(Uid)
    host: Mapped[str] = mapped_column(Name)
    zone: Mapped[str] = mapped_column(Label)
