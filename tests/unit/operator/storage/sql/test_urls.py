"""Which URLs are taken, and that none shows its password."""

import pytest
from pydantic import SecretStr

from kilonova_operator.storage.sql.urls import (
    DatabaseUrlInvalid,
    is_sqlite,
    parse_url,
    show_url,
)


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("mysql://ann:pw@db:3306/kilonova_api", "mysql+pymysql"),
        ("mariadb://ann:pw@db/kilonova_api\n", "mariadb+pymysql"),
        ("mysql+pymysql://ann:pw@db/kilonova_api", "mysql+pymysql"),
        ("sqlite:////var/lib/kilonova/api.sqlite", "sqlite+pysqlite"),
    ],
)
def test_the_driver_is_put_in(text: str, driver: str) -> None:
    url = parse_url("api", SecretStr(text))
    assert url.drivername == driver
    assert is_sqlite(url) == text.startswith("sqlite")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:pw-secret@db/x",
        "mysql://ann:pw-secret@db",
        "pw-secret",
        "mysql://ann:pw-secret@db:port/x",
        "sqlite://",
        "",
    ],
)
def test_what_cannot_be_used_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(DatabaseUrlInvalid, match="'cell1'") as refused:
        parse_url("cell1", SecretStr(text))
    assert "pw-secret" not in str(refused.value)
    assert "mysql://USER:PASSWORD@HOST:3306/NAME" in str(refused.value)


def test_a_shown_url_has_neither_password_nor_options() -> None:
    url = parse_url("api", SecretStr("mysql://ann:pw-secret@db/x?ssl_key=/k"))
    assert show_url(url) == "mysql+pymysql://ann:***@db/x"
