"""Ranges of networks and the addresses given in them. IPv4 as numbers."""

from sqlalchemy import BigInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kilonova_operator.storage.sql.api.schema.base import ApiBase
from kilonova_operator.storage.sql.columns import TABLE_ARGS, JsonText, Uid


class NetworkRow(ApiBase):
    """A network and the range it holds."""

    __tablename__ = "networks"
    __table_args__ = (TABLE_ARGS,)

    network_id: Mapped[str] = mapped_column(Uid, primary_key=True)
    type: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(400))
    bridge: Mapped[str | None] = mapped_column(String(15))
    first: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[int] = mapped_column(BigInteger)
    gateway: Mapped[int | None] = mapped_column(BigInteger)
    pools: Mapped[list[list[int]]] = mapped_column(JsonText)


class IpAllocationRow(ApiBase):
    """The address and MAC of one NIC; its Server keeps both when it moves."""

    __tablename__ = "ip_allocations"
    __table_args__ = (
        UniqueConstraint("mac"),
        UniqueConstraint("server_uid", "nic"),
        TABLE_ARGS,
    )

    network_id: Mapped[str] = mapped_column(Uid, primary_key=True)
    address: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False
    )
    server_uid: Mapped[str] = mapped_column(Uid)
    nic: Mapped[str] = mapped_column(String(15))
    mac: Mapped[str] = mapped_column(String(17))
