"""What a database's error means: try again, give up, or a bug of ours."""

import sqlite3
from enum import Enum

import pymysql
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class Failure(Enum):
    """Kinds of failure, by what helps."""

    CONFLICT = "conflict"
    """Another transaction was faster: the same again, soon."""
    CONNECTION = "connection"
    """The connection is gone or was never made: again, a few times."""
    SCHEMA = "schema"
    """Tables or columns are missing: migrate first."""
    OTHER = "other"


# https://mariadb.com/kb/en/mariadb-error-code-reference/
_MYSQL_CONFLICTS = frozenset(
    {
        1020,  # record has changed since last read
        1205,  # lock wait timeout
        1213,  # deadlock; also a Galera certification failure at COMMIT
    }
)
_MYSQL_CONNECTION = frozenset(
    {
        1040,  # too many connections
        1047,  # WSREP: node not ready
        1053,  # server shutdown in progress
        1129,  # host blocked after many errors
        1203,  # user has too many connections
        1290,  # read-only: a replica during fail-over
        1792,
        1836,
        1927,  # connection was killed
        2002,
        2003,
        2006,
        2013,
        2014,
    }
)
_MYSQL_SCHEMA = frozenset({1049, 1054, 1146})


def classify(error: SQLAlchemyError) -> Failure:
    """Tell what kind of failure an error of SQLAlchemy is."""
    if isinstance(error, IntegrityError):
        # Uniqueness is checked before each insert, so a faster insert is why.
        return Failure.CONFLICT
    if isinstance(error, PoolTimeout):
        return Failure.CONNECTION
    if not isinstance(error, DBAPIError):
        return Failure.OTHER
    if error.connection_invalidated:
        return Failure.CONNECTION
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _classify_sqlite(cause)
    if isinstance(cause, pymysql.MySQLError):
        return _classify_mysql(cause)
    return Failure.OTHER


def describe(error: SQLAlchemyError) -> str:
    """Return the driver's own words, without statement and parameters."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return f"{type(cause or error).__name__}: {cause or error}"


def mysql_code(error: SQLAlchemyError) -> int:
    """Return the server's error number; 0 if there is none."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    code = cause.args[0] if isinstance(cause, pymysql.MySQLError) and cause.args else 0
    return code if isinstance(code, int) else 0


def _classify_mysql(cause: pymysql.MySQLError) -> Failure:
    code = cause.args[0] if cause.args else 0
    if code in _MYSQL_CONFLICTS:
        return Failure.CONFLICT
    if code in _MYSQL_SCHEMA:
        return Failure.SCHEMA
    # An InterfaceError has code 0: the connection was closed under us.
    if code in _MYSQL_CONNECTION or isinstance(cause, pymysql.err.InterfaceError):
        return Failure.CONNECTION
    return Failure.OTHER


def _classify_sqlite(cause: sqlite3.Error) -> Failure:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the primary code
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Failure.CONFLICT
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        return Failure.CONNECTION
    text = str(cause)
    if "no such table" in text or "no such column" in text:
        return Failure.SCHEMA
    return Failure.OTHER
