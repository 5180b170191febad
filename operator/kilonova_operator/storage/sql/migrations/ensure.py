"""Steps of revisions that may run again.

MariaDB and MySQL commit each DDL statement by itself, so a migration that is
killed leaves its first half. Each step here finds out what is there already.
"""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

from kilonova_operator.storage.sql.columns import TABLE_ARGS, Name, Uid

_EPOCH_ID = 1


def ensure_table(name: str, *items: SchemaItem) -> None:
    """Make a table."""
    op.create_table(name, *items, if_not_exists=True, **TABLE_ARGS)


def ensure_index(table: str, columns: Sequence[str]) -> None:
    """Make an index, named by the convention."""
    name = f"ix_{table}_{'_'.join(columns)}"
    there = sa.inspect(op.get_bind()).get_indexes(table)
    if name not in {index["name"] for index in there}:
        op.create_index(name, table, list(columns))


def ensure_epoch(*more: sa.Column[Any]) -> None:
    """Make the epoch table and its row; the database is born with it.

    more: numbers that only this database has; they begin at 0.
    """
    ensure_table(
        "epoch",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("database_id", sa.String(36), nullable=False),
        sa.Column("owner_cluster_uid", Uid, nullable=False),
        sa.Column("owner_release", Name, nullable=False),
        sa.Column("term", sa.BigInteger, nullable=False),
        sa.Column("nonce", sa.String(36), nullable=False),
        sa.Column("role", Name, nullable=False),
        sa.Column("holder", Name, nullable=False),
        sa.Column("tick", sa.BigInteger, nullable=False),
        sa.Column("frozen_reason", sa.String(64), nullable=False),
        sa.Column("frozen_message", sa.Text, nullable=False),
        *more,
    )
    first = {
        "id": _EPOCH_ID,
        "database_id": str(uuid4()),
        "owner_cluster_uid": "",
        "owner_release": "",
        "term": 0,
        "nonce": "",
        "role": "",
        "holder": "",
        "tick": 0,
        "frozen_reason": "",
        "frozen_message": "",
    } | {column.name: 0 for column in more}
    epoch = sa.table("epoch", *(sa.column(name) for name in first))
    connection = op.get_bind()
    if connection.scalar(sa.select(epoch.c.id)) is None:
        connection.execute(epoch.insert().values(**first))
