"""What hosts have and what is claimed of it, as in Placement."""

from sqlalchemy import BigInteger, Double, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kilonova_operator.storage.sql.api.schema.base import ApiBase
from kilonova_operator.storage.sql.columns import TABLE_ARGS, Name, RowId, Uid

ResourceClass = String(64)


class ResourceProviderRow(ApiBase):
    """A provider. Every change of what hangs on it steps its generation.

    A host's root provider is named as the host. At the top of a tree, where a
    provider is its own root, ``parent_id`` and ``root_id`` are both empty.
    """

    __tablename__ = "resource_providers"
    __table_args__ = (
        UniqueConstraint("name"),
        UniqueConstraint("uuid"),
        Index(None, "parent_id"),
        TABLE_ARGS,
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36))
    name: Mapped[str] = mapped_column(Name)
    is_host: Mapped[bool]
    generation: Mapped[int] = mapped_column(BigInteger)
    parent_id: Mapped[int | None] = mapped_column(RowId)
    root_id: Mapped[int | None] = mapped_column(RowId)


class ProviderTraitRow(ApiBase):
    """A trait of a provider."""

    __tablename__ = "provider_traits"
    __table_args__ = (TABLE_ARGS,)

    provider_id: Mapped[int] = mapped_column(
        RowId, primary_key=True, autoincrement=False
    )
    trait: Mapped[str] = mapped_column(String(255), primary_key=True)


class ProviderAggregateRow(ApiBase):
    """An aggregate that a provider is in."""

    __tablename__ = "provider_aggregates"
    __table_args__ = (TABLE_ARGS,)

    provider_id: Mapped[int] = mapped_column(
        RowId, primary_key=True, autoincrement=False
    )
    aggregate: Mapped[str] = mapped_column(Uid, primary_key=True)


class InventoryRow(ApiBase):
    """One resource class of a provider."""

    __tablename__ = "inventories"
    __table_args__ = (TABLE_ARGS,)

    provider_id: Mapped[int] = mapped_column(
        RowId, primary_key=True, autoincrement=False
    )
    resource_class: Mapped[str] = mapped_column(ResourceClass, primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger)
    allocation_ratio: Mapped[float] = mapped_column(Double)
    min_unit: Mapped[int] = mapped_column(BigInteger)
    max_unit: Mapped[int] = mapped_column(BigInteger)
    step_size: Mapped[int] = mapped_column(BigInteger)
    unmanaged: Mapped[int] = mapped_column(BigInteger)


class AllocationRow(ApiBase):
    """What one placement of a Server holds of one class of a provider."""

    __tablename__ = "allocations"
    __table_args__ = (
        # Covers the sum of what is used, which every claim reads.
        Index(None, "provider_id", "resource_class", "used"),
        TABLE_ARGS,
    )

    server_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    placement_generation: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False
    )
    provider_id: Mapped[int] = mapped_column(
        RowId, primary_key=True, autoincrement=False
    )
    resource_class: Mapped[str] = mapped_column(ResourceClass, primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger)
