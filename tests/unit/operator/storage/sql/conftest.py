"""SQLite files, each test its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

pytest.register_assert_rewrite("support.store_contract")

from support.databases import (  # noqa: E402 - after the rewrite is registered
    Databases,
    make_sqlite_template,
    sqlite_urls,
)
from support.memory_folder import memory_folder  # noqa: E402


@pytest.fixture(scope="session")
def sqlite_template() -> Iterator[Path]:
    with memory_folder() as folder:
        make_sqlite_template(folder)
        yield folder


@pytest.fixture
async def databases(sqlite_template: Path) -> AsyncIterator[Databases]:
    with memory_folder() as folder:
        databases = Databases(sqlite_urls(sqlite_template, folder))
        yield databases
        await databases.close()


@pytest.fixture
def empty_database() -> Iterator[SecretStr]:
    with memory_folder() as folder:
        yield SecretStr(f"sqlite:///{folder}/folder/empty.sqlite")
