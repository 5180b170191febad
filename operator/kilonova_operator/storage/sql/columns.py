"""Column types that mean the same on MariaDB, MySQL and SQLite."""

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    String,
    Text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeDecorator, TypeEngine

UID_CHARACTERS = 64
NAME_CHARACTERS = 253
LABEL_CHARACTERS = 63

TABLE_ARGS = {
    # Names are compared byte by byte, as Kubernetes and SQLite compare them.
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
}
"""Options of every table. There are no foreign keys: each write checks what it
refers to in its own transaction, and sharding proxies refuse them."""

NAMING = {
    "pk": "pk_%(table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
}
"""Names of keys and indexes, so that migrations can speak of them."""

Uid = String(UID_CHARACTERS)
Name = String(NAME_CHARACTERS)
Label = String(LABEL_CHARACTERS)
LargeBytes = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
"""BLOB ends at 64 KiB there."""
RowId = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts Integer keys only


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC with microseconds; aware in Python, naive in the database."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Ask MariaDB and MySQL for microseconds, which they cut off otherwise."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Turn any aware moment into naive UTC."""
        del dialect
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Say of a stored moment that it is UTC."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


class JsonText(TypeDecorator[Any]):
    """JSON in a text column; the database never looks inside."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Ask MariaDB and MySQL for 16 MiB: TEXT ends at 64 KiB."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.MEDIUMTEXT())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write compact JSON with sorted keys."""
        del dialect
        if value is None:
            return None
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read the JSON back."""
        del dialect
        return None if value is None else orjson.loads(value)
