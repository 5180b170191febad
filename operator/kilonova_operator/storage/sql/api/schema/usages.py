"""What namespaces use of their quotas."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from kilonova_operator.storage.sql.api.schema.base import ApiBase
from kilonova_operator.storage.sql.columns import TABLE_ARGS, Uid


class NamespaceUsageRow(ApiBase):
    """The sum over a namespace's living Servers, changed with each of them."""

    __tablename__ = "namespace_usages"
    __table_args__ = (TABLE_ARGS,)

    namespace_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    instances: Mapped[int] = mapped_column(BigInteger)
    cores: Mapped[int] = mapped_column(BigInteger)
    ram_mib: Mapped[int] = mapped_column(BigInteger)
