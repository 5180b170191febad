"""The schema revision that this program needs, known without Alembic.

The operator only compares; importing the migrations for that would cost it
12 MB for good. A test holds these against the migrations themselves.
"""

from collections.abc import Mapping
from typing import Literal

from sqlalchemy import Engine, inspect, text

HEADS: Mapping[Literal["api", "cell"], str] = {"api": "a0001", "cell": "c0001"}
"""Newest revision of each chain. Revisions of a chain sort by their names."""

_TABLE = "alembic_version"


def read_revision(engine: Engine) -> str | None:
    """Return the database's revision; None if it was never migrated."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(_TABLE):
            return None
        found: str | None = connection.execute(
            text(f"SELECT version_num FROM {_TABLE}")  # noqa: S608 - a constant
        ).scalar()
        return found
