"""kilonova-manage on SQLite files."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from kilonova_operator.domain.epoch import Owner
from kilonova_operator.manage import main
from support.databases import Databases, made_claim
from support.store_contract.epoch import prepare_host, run_sql


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in {
        "DATA_DIR": tmp_path / "data",
        "NAMESPACE": "kilonova-system",
        "RELEASE": "kilonova",
    }.items():
        monkeypatch.setenv(f"KILONOVA_{name}", str(value))
    return tmp_path / "data"


async def own(path: Path, owner: Owner) -> None:
    databases = Databases(iter(()))
    store = databases.open_api(SecretStr(f"sqlite:///{path}"), owner=owner)
    await store.take_term("super", "pod-a")
    await databases.close()


def test_sync_makes_three_databases_that_only_their_owner_can_read(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "check"]) == 2
    assert "kilonova-manage db sync" in capsys.readouterr().out
    assert main(["db", "sync"]) == 0
    files = sorted(data_dir.glob("*.sqlite"))
    assert [path.stem for path in files] == ["api", "cell0", "cell1"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert main(["db", "check"]) == 0
    capsys.readouterr()
    assert main(["db", "sync"]) == 0
    assert "is current" in capsys.readouterr().out
    assert main(["db", "version", "--database", "cell1"]) == 0
    assert capsys.readouterr().out == "cell1\tc0001\n"


def test_an_unknown_database_is_named_with_those_there_are(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del data_dir
    assert main(["db", "sync", "--database", "cell7"]) == 1
    assert "no database 'cell7'; there are api, cell0, cell1" in capsys.readouterr().err


async def test_an_audit_says_what_disagrees_and_changes_nothing(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "sync"]) == 0
    url = SecretStr(f"sqlite:///{data_dir / 'api.sqlite'}")
    databases = Databases(iter(()))
    store = databases.open_api(url)
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term)
    await store.claim(term, made_claim(1))
    await databases.close()
    assert main(["placement", "audit"]) == 0
    assert "all claims agree" in capsys.readouterr().out
    run_sql(url, "DELETE FROM allocations", "UPDATE namespace_usages SET cores = 7")
    for _ in range(2):
        assert main(["placement", "audit"]) == 3
        said = capsys.readouterr().out
        assert "placed without a claim: Server shop/web-1" in said
        assert "usage of namespace uid namespace-1" in said


async def test_another_releases_database_is_not_migrated(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "sync"]) == 0
    await own(data_dir / "api.sqlite", Owner("cluster-1", "production/kilonova"))
    assert main(["db", "sync"]) == 1
    assert "belongs to release production/kilonova" in capsys.readouterr().err


async def test_a_database_is_disowned_only_with_a_persons_word(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "sync"]) == 0
    path = data_dir / "api.sqlite"
    await own(path, Owner("cluster-1", "old/kilonova"))
    assert main(["db", "disown", "api"]) == 1
    assert "--yes" in capsys.readouterr().err
    assert main(["db", "disown", "api", "--yes"]) == 0
    assert "old/kilonova" in capsys.readouterr().out
    await own(path, Owner("cluster-2", "kilonova-system/kilonova"))
    assert main(["db", "sync"]) == 0


def test_a_missing_secret_key_is_named(
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    del data_dir
    monkeypatch.setenv("KILONOVA_DATABASE_URLS_DIR", str(tmp_path))
    assert main(["db", "sync"]) == 1
    assert "needs a key 'api'" in capsys.readouterr().err


def test_settings_that_are_wrong_end_without_a_trace(
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    del data_dir
    monkeypatch.setenv("KILONOVA_CELLS", "cell0")
    assert main(["db", "sync"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("kilonova-manage: settings: ")
    assert "KILONOVA_CELLS" in said
    assert len(said.splitlines()) == 1
