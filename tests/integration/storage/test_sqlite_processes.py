"""Processes that share one SQLite file; each commit waits for the disk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.databases import Databases, make_sqlite_template, sqlite_urls
from support.store_contract.processes import *  # noqa: F403


@pytest.fixture
async def databases(tmp_path: Path) -> AsyncIterator[Databases]:
    make_sqlite_template(tmp_path)
    databases = Databases(sqlite_urls(tmp_path, tmp_path))
    yield databases
    await databases.close()
