"""First tables: cells, hosts, providers, claims, mappings, groups, networks."""

import sqlalchemy as sa

from kilonova_operator.storage.sql.columns import (
    JsonText,
    Label,
    LargeBytes,
    Name,
    RowId,
    Uid,
    UtcDateTime,
)
from kilonova_operator.storage.sql.migrations.ensure import (
    ensure_epoch,
    ensure_index,
    ensure_table,
)

revision = "a0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Migrate up; every statement may run again after it was cut off."""
    ensure_epoch(sa.Column("store_version", sa.BigInteger, nullable=False))
    _cells()
    _providers()
    _servers()
    _numa()
    _networks()
    _groups()


def _cells() -> None:
    ensure_table(
        "cell_mappings",
        sa.Column("name", Label, primary_key=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("database_id", sa.String(36), nullable=False),
        sa.UniqueConstraint("uuid"),
    )
    ensure_table(
        "host_mappings",
        sa.Column("host", Name, primary_key=True),
        sa.Column("cell", Label, nullable=False),
    )
    ensure_index("host_mappings", ["cell"])


def _providers() -> None:
    ensure_table(
        "resource_providers",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("is_host", sa.Boolean, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("parent_id", RowId, nullable=True),
        sa.Column("root_id", RowId, nullable=True),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("uuid"),
    )
    ensure_index("resource_providers", ["parent_id"])
    ensure_table(
        "provider_traits",
        sa.Column("provider_id", RowId, primary_key=True, autoincrement=False),
        sa.Column("trait", sa.String(255), primary_key=True),
    )
    ensure_table(
        "provider_aggregates",
        sa.Column("provider_id", RowId, primary_key=True, autoincrement=False),
        sa.Column("aggregate", Uid, primary_key=True),
    )
    ensure_table(
        "inventories",
        sa.Column("provider_id", RowId, primary_key=True, autoincrement=False),
        sa.Column("resource_class", sa.String(64), primary_key=True),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.Column("allocation_ratio", sa.Double, nullable=False),
        sa.Column("min_unit", sa.BigInteger, nullable=False),
        sa.Column("max_unit", sa.BigInteger, nullable=False),
        sa.Column("step_size", sa.BigInteger, nullable=False),
        sa.Column("unmanaged", sa.BigInteger, nullable=False),
    )
    ensure_table(
        "allocations",
        sa.Column("server_uid", Uid, primary_key=True),
        sa.Column(
            "placement_generation",
            sa.BigInteger,
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("provider_id", RowId, primary_key=True, autoincrement=False),
        sa.Column("resource_class", sa.String(64), primary_key=True),
        sa.Column("used", sa.BigInteger, nullable=False),
    )
    ensure_index("allocations", ["provider_id", "resource_class", "used"])


def _servers() -> None:
    ensure_table(
        "instance_mappings",
        sa.Column("server_uid", Uid, primary_key=True),
        sa.Column("namespace", Label, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("namespace_uid", Uid, nullable=False),
        sa.Column("instance_uuid", sa.String(36), nullable=False),
        sa.Column("cell", Label, nullable=False),
        sa.Column("host", Name, nullable=True),
        sa.Column("placement_generation", sa.BigInteger, nullable=False),
        sa.Column("object_generation", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("tried_hosts", JsonText, nullable=False),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("queued_for_delete", sa.Boolean, nullable=False),
        sa.Column("retained", sa.Boolean, nullable=False),
        sa.Column("group_uid", Uid, nullable=True),
        sa.Column("zone", Label, nullable=False),
        sa.Column("vcpus", sa.Integer, nullable=False),
        sa.Column("ram_mib", sa.BigInteger, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("instance_uuid"),
    )
    ensure_index("instance_mappings", ["namespace", "name"])
    ensure_index("instance_mappings", ["host"])
    ensure_table(
        "tombstones",
        sa.Column("server_uid", Uid, primary_key=True),
        sa.Column("namespace", Label, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("namespace_uid", Uid, nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=False),
    )
    ensure_index("tombstones", ["deleted_at"])
    ensure_table(
        "scheduling_decisions",
        sa.Column("server_uid", Uid, primary_key=True),
        sa.Column("decided_at", UtcDateTime, primary_key=True),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("host", Name, nullable=True),
        sa.Column("record", JsonText, nullable=False),
    )
    ensure_table(
        "host_records",
        sa.Column("server_uid", Uid, primary_key=True),
        sa.Column("decided_at", UtcDateTime, primary_key=True),
        sa.Column("roster", sa.String(64), nullable=False),
        sa.Column("host_table", LargeBytes, nullable=False),
    )
    ensure_index("host_records", ["roster"])
    ensure_table(
        "host_rosters",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("body", LargeBytes, nullable=False),
        sa.Column("used_at", UtcDateTime, nullable=False),
    )


def _numa() -> None:
    ensure_table(
        "numa_placements",
        sa.Column("server_uid", Uid, primary_key=True),
        sa.Column(
            "placement_generation",
            sa.BigInteger,
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("host", Name, nullable=False),
        sa.Column("placement", JsonText, nullable=False),
    )
    ensure_index("numa_placements", ["host"])


def _networks() -> None:
    ensure_table(
        "networks",
        sa.Column("network_id", Uid, primary_key=True),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("name", sa.String(400), nullable=False),
        sa.Column("bridge", sa.String(15), nullable=True),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("gateway", sa.BigInteger, nullable=True),
        sa.Column("pools", JsonText, nullable=False),
    )
    ensure_table(
        "ip_allocations",
        sa.Column("network_id", Uid, primary_key=True),
        sa.Column("address", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("server_uid", Uid, nullable=False),
        sa.Column("nic", sa.String(15), nullable=False),
        sa.Column("mac", sa.String(17), nullable=False),
        sa.UniqueConstraint("mac"),
        sa.UniqueConstraint("server_uid", "nic"),
    )


def _groups() -> None:
    ensure_table(
        "namespace_usages",
        sa.Column("namespace_uid", Uid, primary_key=True),
        sa.Column("instances", sa.BigInteger, nullable=False),
        sa.Column("cores", sa.BigInteger, nullable=False),
        sa.Column("ram_mib", sa.BigInteger, nullable=False),
    )
    ensure_table(
        "server_groups",
        sa.Column("group_uid", Uid, primary_key=True),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("policy", sa.String(32), nullable=False),
        sa.Column("topology", sa.String(16), nullable=False),
        sa.Column("max_per_domain", sa.Integer, nullable=False),
    )
    ensure_table(
        "group_members",
        sa.Column("server_uid", Uid, primary_key=True),
        sa.Column(
            "placement_generation",
            sa.BigInteger,
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("group_uid", Uid, nullable=False),
        sa.Column("host", Name, nullable=False),
        sa.Column("zone", Label, nullable=False),
    )
    ensure_index("group_members", ["group_uid", "host"])
    ensure_index("group_members", ["group_uid", "zone"])
