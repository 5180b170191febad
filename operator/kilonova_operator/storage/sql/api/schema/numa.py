"""Where placements of guests with NUMA cells are in their hosts."""

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from kilonova_operator.storage.sql.api.schema.base import ApiBase
from kilonova_operator.storage.sql.columns import TABLE_ARGS, JsonText, Name, Uid


class NumaPlacementRow(ApiBase):
    """Cells, CPUs and pages of a placement; it goes with its allocations.

    A host's rows change with its provider's generation only.
    """

    __tablename__ = "numa_placements"
    __table_args__ = (TABLE_ARGS,)

    server_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    placement_generation: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False
    )
    host: Mapped[str] = mapped_column(Name, index=True)
    placement: Mapped[dict[str, Any]] = mapped_column(JsonText)
