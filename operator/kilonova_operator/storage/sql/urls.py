"""Database URLs: which are taken, and how they are shown."""

from pydantic import SecretStr
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from kilonova_operator.domain.errors import KilonovaError

_PYMYSQL = {
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mariadb+pymysql": "mariadb+pymysql",
}
_SQLITE = {"sqlite": "sqlite+pysqlite", "sqlite+pysqlite": "sqlite+pysqlite"}
_DRIVERS = _PYMYSQL | _SQLITE


class DatabaseUrlInvalid(KilonovaError):
    """A database URL that cannot be used. The URL itself is never shown."""

    def __init__(self, database: str, what: str) -> None:
        super().__init__(
            f"the URL of database {database!r} cannot be used: {what}. Expected "
            "mysql://USER:PASSWORD@HOST:3306/NAME (also mariadb://), or "
            "sqlite:////path/to/file.db"
        )


def parse_url(database: str, text: SecretStr) -> URL:
    """Return the URL with the driver we use put in.

    Raises:
        DatabaseUrlInvalid: it is no URL, or one of another kind of database.
    """
    try:
        url = make_url(text.get_secret_value().strip())
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        # The cause quotes the URL, password and all.
        raise DatabaseUrlInvalid(database, "it is not a database URL") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise DatabaseUrlInvalid(database, f"{url.drivername!r} is not supported")
    if not url.database or url.database == ":memory:":
        raise DatabaseUrlInvalid(database, "it names no database")
    return url.set(drivername=driver)


def is_sqlite(url: URL) -> bool:
    """Tell whether the database is a file of ours."""
    return url.get_backend_name() == "sqlite"


def show_url(url: URL) -> str:
    """Return the URL for logs and errors: no password, no options."""
    return url.set(query={}).render_as_string(hide_password=True)
