"""Databases made at first start: by the user who may, or by the SQL that is shown."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from kilonova_operator.manage import main
from support.mariadb import PREFIX, MariaDb

POOR = "poor"


@pytest.fixture
def names(mariadb: MariaDb) -> Iterator[dict[str, str]]:
    suffix = uuid4().hex[:6]
    names = {name: f"{PREFIX}{name}_{suffix}" for name in ("api", "cell0", "cell1")}
    yield names
    mariadb.run_as_root(
        "SELECT 1", *(f"DROP DATABASE IF EXISTS {name}" for name in names.values())
    )


@pytest.fixture
def poor_user(mariadb: MariaDb) -> Iterator[str]:
    mariadb.run_as_root(f"CREATE USER '{POOR}'@'%' IDENTIFIED BY 'poor-secret'")
    yield POOR
    mariadb.run_as_root(f"DROP USER '{POOR}'@'%'")


@pytest.fixture
def urls_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KILONOVA_DATABASE_URLS_DIR", str(tmp_path))
    return tmp_path


def test_a_user_who_may_gets_three_migrated_databases(
    mariadb: MariaDb,
    names: dict[str, str],
    urls_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for key, name in names.items():
        (urls_dir / key).write_text(mariadb.url(name) + "\n")
    assert main(["db", "sync"]) == 0
    assert main(["db", "check"]) == 0
    rows = mariadb.run_as_root(
        "SELECT default_collation_name FROM information_schema.schemata "  # noqa: S608
        f"WHERE schema_name = '{names['cell1']}'"
    )
    assert rows == [("utf8mb4_bin",)]
    assert "not-a-secret" not in capsys.readouterr().out


def test_a_user_who_may_not_gets_the_sql_that_an_administrator_runs(
    mariadb: MariaDb,
    names: dict[str, str],
    poor_user: str,
    urls_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for key, name in names.items():
        url = mariadb.url(name, user=poor_user, password="poor-secret")
        (urls_dir / key).write_text(url)
    for _ in names:
        assert main(["db", "sync", "--wait-seconds", "0"]) == 1
        said = capsys.readouterr().err
        assert "may not create it" in said
        assert "poor-secret" not in said
        lines = [line.strip() for line in said.splitlines()]
        shown = [line for line in lines if line.startswith(("CREATE", "GRANT"))]
        assert len(shown) == 2
        mariadb.run_as_root(*shown)
    assert main(["db", "sync", "--wait-seconds", "0"]) == 0


def test_a_wrong_password_says_so_and_nothing_is_made(
    mariadb: MariaDb,
    names: dict[str, str],
    urls_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for key, name in names.items():
        (urls_dir / key).write_text(mariadb.url(name, password="wrong-secret"))
    assert main(["db", "sync", "--wait-seconds", "0"]) == 1
    said = capsys.readouterr().err
    assert "Access denied" in said
    assert "wrong-secret" not in said


def test_a_server_that_does_not_answer_yet_is_waited_for(
    urls_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (urls_dir / "api").write_text("mysql://ann:pw@127.0.0.1:1/kilonova_api")
    assert main(["db", "sync", "--wait-seconds", "2.5"]) == 1
    captured = capsys.readouterr()
    assert captured.out.count("waiting") == 1
    assert "unavailable" in captured.err
