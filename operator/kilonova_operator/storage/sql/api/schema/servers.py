"""Where Servers are, which are deleted, and how they were scheduled."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kilonova_operator.storage.sql.api.schema.base import ApiBase
from kilonova_operator.storage.sql.columns import (
    TABLE_ARGS,
    JsonText,
    Label,
    LargeBytes,
    Name,
    Uid,
    UtcDateTime,
)


class InstanceMappingRow(ApiBase):
    """The cell, host and newest placement of a Server."""

    __tablename__ = "instance_mappings"
    __table_args__ = (
        UniqueConstraint("instance_uuid"),
        Index(None, "namespace", "name"),
        Index(None, "host"),
        TABLE_ARGS,
    )

    server_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    namespace: Mapped[str] = mapped_column(Label)
    name: Mapped[str] = mapped_column(Name)
    namespace_uid: Mapped[str] = mapped_column(Uid)
    instance_uuid: Mapped[str] = mapped_column(String(36))
    cell: Mapped[str] = mapped_column(Label)
    host: Mapped[str | None] = mapped_column(Name)
    placement_generation: Mapped[int] = mapped_column(BigInteger)
    object_generation: Mapped[int] = mapped_column(BigInteger)
    attempt: Mapped[int]
    tried_hosts: Mapped[list[str]] = mapped_column(JsonText)
    request_id: Mapped[str] = mapped_column(String(36))
    queued_for_delete: Mapped[bool]
    retained: Mapped[bool]
    group_uid: Mapped[str | None] = mapped_column(Uid)
    zone: Mapped[str] = mapped_column(Label)
    vcpus: Mapped[int]
    ram_mib: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TombstoneRow(ApiBase):
    """A Server whose delete is recorded; no object with its uid is built again."""

    __tablename__ = "tombstones"
    __table_args__ = (TABLE_ARGS,)

    server_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    namespace: Mapped[str] = mapped_column(Label)
    name: Mapped[str] = mapped_column(Name)
    namespace_uid: Mapped[str] = mapped_column(Uid)
    deleted_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class SchedulingDecisionRow(ApiBase):
    """One of the last decisions about a Server."""

    __tablename__ = "scheduling_decisions"
    __table_args__ = (TABLE_ARGS,)

    server_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    outcome: Mapped[str] = mapped_column(String(64))
    host: Mapped[str | None] = mapped_column(Name)
    record: Mapped[dict[str, Any]] = mapped_column(JsonText)


class HostRecordRow(ApiBase):
    """All hosts of one of the last decisions about a Server."""

    __tablename__ = "host_records"
    __table_args__ = (TABLE_ARGS,)

    server_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    roster: Mapped[str] = mapped_column(String(64), index=True)
    host_table: Mapped[bytes] = mapped_column(LargeBytes)


class HostRosterRow(ApiBase):
    """Names of hosts, constraints and weighers, shared by host records."""

    __tablename__ = "host_rosters"
    __table_args__ = (TABLE_ARGS,)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBytes)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
