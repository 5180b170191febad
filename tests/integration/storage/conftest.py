"""MariaDB, each test with databases as if new."""

from collections.abc import AsyncIterator

import pytest

for module in ("epoch", "claims", "deletes", "networks", "hosts", "cell"):
    pytest.register_assert_rewrite(f"support.store_contract.{module}")

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
