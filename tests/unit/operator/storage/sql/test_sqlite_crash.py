"""The files as they are at any moment of a write hold all of it or nothing."""

from pathlib import Path
from shutil import copyfile
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection

from support.databases import Databases, made_claim, sqlite_urls
from support.store_contract.claims import ETH0, open_prepared
from support.store_contract.crashes import (
    CLAIM_STATEMENTS,
    before_statement,
    engine_of,
)
from support.store_contract.epoch import dump_tables


def copy_files(path: Path, to: Path) -> SecretStr:
    """Copy database and log, as a power cut would leave them."""
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            copyfile(source, to.with_name(to.name + suffix))
    return SecretStr(f"sqlite:///{to}")


async def test_a_crash_between_any_two_statements_leaves_all_or_nothing(
    sqlite_template: Path, tmp_path: Path
) -> None:
    url = SecretStr(next(sqlite_urls(sqlite_template, tmp_path))[0])
    databases = Databases(iter(()))
    store, term = await open_prepared(databases, url=url)
    await store.claim(term, made_claim(0, nics=(ETH0,)))
    before = dump_tables(url)
    copies: list[SecretStr] = []
    path = Path(url.get_secret_value().removeprefix("sqlite:///"))

    def copy(number: int, connection: Connection, statement: str) -> None:
        del connection, statement
        copies.append(copy_files(path, tmp_path / f"crash-{number}.sqlite"))

    with before_statement(engine_of(store), copy):
        await store.claim(term, made_claim(1, nics=(ETH0,)))
    after = dump_tables(url)
    finished = copy_files(path, tmp_path / "finished.sqlite")
    await databases.close()

    assert len(copies) == 1 + CLAIM_STATEMENTS, "BEGIN and each statement"
    assert all(dump_tables(copied) == before for copied in copies)
    assert dump_tables(finished) == after != before


async def test_a_connection_waits_for_its_disk_at_each_commit(
    databases: Databases,
) -> None:
    store = databases.open_api()
    await store.read_epoch()
    found: dict[str, Any] = {}
    with engine_of(store).connect() as connection:
        for pragma in ("journal_mode", "synchronous", "busy_timeout"):
            found[pragma] = connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
    assert found == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000}
