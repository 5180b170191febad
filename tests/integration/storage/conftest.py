"""MariaDB, each test with databases as if new."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from pydantic import SecretStr

pytest.register_assert_rewrite("support.store_contract")

from support.databases import Databases  # noqa: E402 - after the rewrite is registered
from support.mariadb import PREFIX, MariaDb, mariadb  # noqa: E402
from support.mariadb_pool import DatabasePool  # noqa: E402

__all__ = ["mariadb"]


@pytest.fixture(scope="session")
def database_pool(mariadb: MariaDb) -> DatabasePool:
    return DatabasePool(mariadb)


@pytest.fixture
async def databases(database_pool: DatabasePool) -> AsyncIterator[Databases]:
    databases = Databases(database_pool.fresh_urls())
    yield databases
    await databases.close()


@pytest.fixture
def empty_database(mariadb: MariaDb) -> Iterator[SecretStr]:
    name = f"{PREFIX}{uuid4().hex[:8]}"
    mariadb.run_as_root(f"CREATE DATABASE {name}")
    yield SecretStr(mariadb.url(name))
    mariadb.run_as_root(f"DROP DATABASE {name}")
