"""Making a database that is not there yet. Blocking."""

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.storage.sql.engine import EngineSettings, build_engine
from kilonova_operator.storage.sql.failures import describe, mysql_code
from kilonova_operator.storage.sql.urls import is_sqlite, show_url

_UNKNOWN_DATABASE = 1049
_DENIED = frozenset({1044, 1142, 1227})
# MariaDB denies an unprivileged user a database that is not there with 1044 too.
_MAYBE_MISSING = frozenset({_UNKNOWN_DATABASE, 1044})


class DatabaseMissing(KilonovaError):
    """The database is not there and this user may not create it."""

    def __init__(self, database: str, url: URL, said: str) -> None:
        self.sql = build_creation_sql(url)
        lines = "\n".join(f"  {statement}" for statement in self.sql)
        super().__init__(
            f"database {database} ({show_url(url)}) is not there, and its user may "
            f"not create it ({said}). Have an administrator run:\n{lines}"
        )


def build_creation_sql(url: URL) -> tuple[str, ...]:
    """Return what an administrator runs to make the database for its user."""
    name = _quote(url.database or "")
    user = (url.username or "").replace("'", "''")
    charset = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    return (
        f"CREATE DATABASE IF NOT EXISTS {name} {charset};",
        f"GRANT ALL PRIVILEGES ON {name}.* TO '{user}'@'%';",
    )


def ensure_database(database: str, url: URL, settings: EngineSettings) -> Engine:
    """Return an engine of a database that is there; make it if need be.

    Raises:
        DatabaseMissing: it is not there and its user may not make it.
        DatabaseUnavailable: the server does not answer, or refuses the user.
    """
    engine = build_engine(url, settings)
    if is_sqlite(url):
        return engine
    try:
        _try(engine)
    except DBAPIError as error:
        if mysql_code(error) not in _MAYBE_MISSING:
            raise DatabaseUnavailable(database, describe(error)) from None
        _create(database, url, settings)
    return engine


def _try(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def _create(database: str, url: URL, settings: EngineSettings) -> None:
    server = create_engine(
        url.set(database=""),
        hide_parameters=True,
        connect_args={"connect_timeout": settings.connect_timeout_seconds},
    )
    statement, _ = build_creation_sql(url)
    try:
        with server.connect() as connection:
            connection.execute(text(statement))
            connection.commit()
    except DBAPIError as error:
        if mysql_code(error) in _DENIED:
            raise DatabaseMissing(database, url, describe(error)) from None
        raise DatabaseUnavailable(database, describe(error)) from None
    finally:
        server.dispose()


def _quote(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
