"""Migrations: what they make is what the models say, and they may be cut off."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, event, inspect, text

from kilonova_operator.storage.sql import migrations
from kilonova_operator.storage.sql.api.schema import ApiBase
from kilonova_operator.storage.sql.cell.schema import CellBase
from kilonova_operator.storage.sql.engine import EngineSettings, build_engine
from kilonova_operator.storage.sql.schema_sync import (
    Chain,
    SchemaAhead,
    SchemaState,
    read_version,
    upgrade,
)
from kilonova_operator.storage.sql.urls import parse_url

METADATA = {"api": ApiBase.metadata, "cell": CellBase.metadata}
CHAINS: list[Chain] = ["api", "cell"]


def open_engine(url: SecretStr) -> Engine:
    return build_engine(parse_url("x", url), EngineSettings(pool_size=2))


@pytest.mark.parametrize("chain", CHAINS)
def test_the_migrations_make_what_the_models_say(
    empty_database: SecretStr, chain: Chain
) -> None:
    engine = open_engine(empty_database)
    upgrade(chain, chain, engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA[chain])
    engine.dispose()
    assert differences == []


@pytest.mark.parametrize("chain", CHAINS)
def test_a_migration_cut_off_at_any_statement_is_finished_by_the_next(
    empty_database: SecretStr, chain: Chain
) -> None:
    engine = open_engine(empty_database)
    counting = {"made": 0, "stop_at": 0}

    def cut(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        del connection, cursor
        if statement.lstrip().startswith(("CREATE", "INSERT")):
            counting["made"] += 1
            if counting["made"] == counting["stop_at"]:
                raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", cut)
    for stop_at in range(1, 100):
        counting.update(made=0, stop_at=stop_at)
        try:
            upgrade(chain, chain, engine)
        except KeyboardInterrupt:
            continue
        break
    assert counting["stop_at"] > 5, "it was cut off again and again"
    event.remove(engine, "before_cursor_execute", cut)
    assert read_version(chain, chain, engine).state is SchemaState.CURRENT
    with engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM epoch")).scalar() == 1
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA[chain]) == []
    engine.dispose()


def test_a_database_is_born_with_an_id_that_a_second_sync_keeps(
    empty_database: SecretStr,
) -> None:
    engine = open_engine(empty_database)
    assert read_version("api", "api", engine).state is SchemaState.EMPTY
    assert upgrade("api", "api", engine).state is SchemaState.EMPTY
    query = text("SELECT database_id FROM epoch")
    with engine.connect() as connection:
        first = connection.execute(query).scalar()
    assert upgrade("api", "api", engine).state is SchemaState.CURRENT
    with engine.connect() as connection:
        assert connection.execute(query).scalar() == first
    engine.dispose()


def test_a_database_of_a_newer_program_is_left_alone(
    empty_database: SecretStr,
) -> None:
    engine = open_engine(empty_database)
    upgrade("cell", "cell", engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'c9999'"))
    assert read_version("cell", "cell", engine).state is SchemaState.AHEAD
    with pytest.raises(SchemaAhead, match="c9999"):
        upgrade("cell", "cell", engine)
    engine.dispose()


def test_every_table_has_a_primary_key_and_no_foreign_key() -> None:
    tables = [
        table for metadata in METADATA.values() for table in metadata.tables.values()
    ]
    assert len(tables) > 10
    assert [table.name for table in tables if not table.primary_key.columns] == []
    assert [table.name for table in tables if table.foreign_keys] == []


def test_names_that_differ_in_case_are_different(empty_database: SecretStr) -> None:
    engine = open_engine(empty_database)
    upgrade("api", "api", engine)
    with engine.connect() as connection:
        insert = text("INSERT INTO host_mappings (host, cell) VALUES (:host, 'cell1')")
        for host in ("hv1", "HV1"):
            connection.execute(insert, {"host": host})
        connection.rollback()
        assert "host_mappings" in inspect(connection).get_table_names()
    engine.dispose()


def test_the_revisions_are_packaged() -> None:
    folder = Path(migrations.__file__ or "").parent
    for chain in CHAINS:
        assert (folder / chain / "env.py").is_file()
        assert (folder / chain / "versions" / "__init__.py").is_file()
