"""SQLite files, each test its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

pytest.register_assert_rewrite("support.store_contract")

from support.databases import (  # noqa: E402 - after the rewrite is registered
    Databases,
    make_sqlite_template,
    sqlite_urls,
)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sqlite")
    make_sqlite_template(folder)
    return folder


@pytest.fixture
async def databases(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Databases]:
    databases = Databases(sqlite_urls(sqlite_template, tmp_path))
    yield databases
    await databases.close()


@pytest.fixture
def empty_database(tmp_path: Path) -> SecretStr:
    return SecretStr(f"sqlite:///{tmp_path}/folder/empty.sqlite")
