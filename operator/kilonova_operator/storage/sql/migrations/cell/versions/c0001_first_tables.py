"""First tables: the order book, and the history of guests."""

import sqlalchemy as sa

from kilonova_operator.storage.sql.columns import (
    JsonText,
    Label,
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

revision = "c0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Migrate up; every statement may run again after it was cut off."""
    ensure_epoch()
    _instances()
    _actions()
    _faults()


def _instances() -> None:
    ensure_table(
        "instances",
        sa.Column("instance_uuid", sa.String(36), primary_key=True),
        sa.Column("server_uid", Uid, nullable=False),
        sa.Column("namespace", Label, nullable=False),
        sa.Column("name", Name, nullable=False),
        sa.Column("namespace_uid", Uid, nullable=False),
        sa.Column("host", Name, nullable=True),
        sa.Column("placement_generation", sa.BigInteger, nullable=False),
        sa.Column("object_generation", sa.BigInteger, nullable=False),
        sa.Column("instance_spec", JsonText, nullable=True),
        sa.Column("server_spec", JsonText, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("booked_at", UtcDateTime, nullable=False),
    )
    ensure_index("instances", ["server_uid"])
    ensure_index("instances", ["host", "instance_uuid"])


def _actions() -> None:
    ensure_table(
        "instance_actions",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("instance_uuid", sa.String(36), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("requested_by", Name, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime, nullable=True),
        sa.Column("message", sa.Text, nullable=False),
        sa.UniqueConstraint("instance_uuid", "request_id"),
    )
    ensure_index("instance_actions", ["started_at"])
    ensure_table(
        "instance_actions_events",
        sa.Column("action_id", RowId, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime, nullable=True),
        sa.Column("result", sa.String(64), nullable=True),
        sa.Column("host", Name, nullable=True),
        sa.Column("details", sa.Text, nullable=False),
    )


def _faults() -> None:
    ensure_table(
        "instance_faults",
        sa.Column("instance_uuid", sa.String(36), primary_key=True),
        sa.Column("happened_at", UtcDateTime, primary_key=True),
        sa.Column("reason", sa.String(128), primary_key=True),
        sa.Column("code", sa.BigInteger, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("host", Name, nullable=True),
    )
    ensure_index("instance_faults", ["happened_at"])
