"""MariaDB, each test with databases as if new."""

from collections.abc import AsyncIterator

import pytest

pytest.register_assert_rewrite("support.store_contract")

from support.databases import Databases  # noqa: E402 - after the rewrite is registered
from support.mariadb import MariaDb, mariadb  # noqa: E402
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
