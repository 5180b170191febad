"""Engines: how connections of each kind of database are made and used."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from kilonova_operator.storage.sql.tls import share_tls_context
from kilonova_operator.storage.sql.urls import is_sqlite

WRITER = "kilonova_writer"
"""Execution option of engines whose transactions write."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Bounds of one database's connections."""

    pool_size: int = 8
    connect_timeout_seconds: int = 5
    answer_timeout_seconds: int = 15
    lock_timeout_seconds: int = 5
    pool_timeout_seconds: float = 10.0
    recycle_seconds: int = 1800
    """Below the 8 h after which servers, and the minutes after which some
    proxies, drop idle connections; the ping before use finds the rest."""


def build_engine(url: URL, settings: EngineSettings) -> Engine:
    """Return an engine; it connects when it is first used."""
    if is_sqlite(url):
        return _build_sqlite(url, settings)
    return _build_pymysql(url, settings)


def _build_pymysql(url: URL, settings: EngineSettings) -> Engine:
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.pool_timeout_seconds,
        pool_recycle=settings.recycle_seconds,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": settings.connect_timeout_seconds,
            "read_timeout": settings.answer_timeout_seconds,
            "write_timeout": settings.answer_timeout_seconds,
            "charset": "utf8mb4",
            # Strict: a value that does not fit is an error, never cut off.
            "init_command": (
                "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
                f"innodb_lock_wait_timeout={settings.lock_timeout_seconds}"
            ),
        },
    )
    share_tls_context(engine)
    return engine


def _build_sqlite(url: URL, settings: EngineSettings) -> Engine:
    engine = create_engine(
        url,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.pool_timeout_seconds,
        hide_parameters=True,
        connect_args={"timeout": settings.lock_timeout_seconds},
    )
    _make_private(Path(url.database or ""))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, entry: ConnectionPoolEntry) -> None:
        del entry
        # The driver would begin transactions at moments of its own choice.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            # A commit that was answered survives a power cut; NORMAL would not.
            "synchronous=FULL",
            f"busy_timeout={settings.lock_timeout_seconds * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: a reader that becomes one later fails
        # when another wrote in between.
        writes = connection.get_execution_options().get(WRITER, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
