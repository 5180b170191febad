"""Bringing a database's schema to the newest revision, and telling where it is.

Blocking; used by ``kilonova-manage`` and, for the check alone, at start.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.storage.sql.engine import WRITER

Chain = Literal["api", "cell"]

_LOCK_NAME = "kilonova-schema"
_LOCK_SECONDS = 60


class SchemaState(StrEnum):
    """Where a database's schema is, seen from this program."""

    CURRENT = "current"
    EMPTY = "empty"
    BEHIND = "behind"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """A database's revision and the one this program wants."""

    database: str
    found: str | None
    wanted: str
    state: SchemaState


class SchemaAhead(KilonovaError):
    """The database was migrated by a newer program."""

    def __init__(self, version: SchemaVersion) -> None:
        super().__init__(
            f"database {version.database} has schema revision {version.found}, which "
            f"this program (up to {version.wanted}) does not know. Use the newer "
            "program, or restore the database from before its upgrade."
        )


class SchemaLocked(KilonovaError):
    """Another process is migrating the database."""

    def __init__(self, database: str) -> None:
        super().__init__(
            f"another process has been migrating database {database} for more than "
            f"{_LOCK_SECONDS} s; try again when it is done"
        )


def read_version(database: str, chain: Chain, engine: Engine) -> SchemaVersion:
    """Tell where the schema is."""
    with engine.connect() as connection:
        return _read_version(database, chain, connection)


def upgrade(database: str, chain: Chain, engine: Engine) -> SchemaVersion:
    """Migrate to the newest revision; may run twice, and at once in two places.

    Raises:
        SchemaAhead, SchemaLocked
    """
    writer = engine.execution_options(**{WRITER: True})
    with _locked(database, writer), writer.connect() as connection:
        version = _read_version(database, chain, connection)
        connection.rollback()
        if version.state is SchemaState.AHEAD:
            raise SchemaAhead(version)
        if version.state is not SchemaState.CURRENT:
            config = _config(chain)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
        return version


def _read_version(database: str, chain: Chain, connection: Connection) -> SchemaVersion:
    scripts = ScriptDirectory.from_config(_config(chain))
    wanted = scripts.get_current_head() or ""
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    if found is None:
        state = SchemaState.EMPTY
    elif found == wanted:
        state = SchemaState.CURRENT
    else:
        state = SchemaState.BEHIND if found in known else SchemaState.AHEAD
    return SchemaVersion(database, found, wanted, state)


def _config(chain: Chain) -> Config:
    config = Config()
    folder = Path(__file__).parent / "migrations" / chain
    config.set_main_option("script_location", str(folder))
    return config


@contextmanager
def _locked(database: str, engine: Engine) -> Iterator[None]:
    """Keep other migrations of this database away; SQLite's file has one user."""
    if engine.dialect.name == "sqlite":
        yield
        return
    name = {"name": f"{_LOCK_NAME}-{engine.url.database}"[:64]}
    with engine.connect() as connection:
        wait = name | {"seconds": _LOCK_SECONDS}
        # The lock belongs to the connection, and goes with it.
        taken = connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), wait)
        if taken.scalar() != 1:
            raise SchemaLocked(database)
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), name)
