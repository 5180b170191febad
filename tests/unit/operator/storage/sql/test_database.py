"""The executor is bounded."""

import asyncio

import pytest

from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.storage.sql import database as module
from support.databases import Databases


async def test_more_calls_than_may_wait_are_refused(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    store = databases.open_api()
    outcomes = await asyncio.gather(
        *(store.read_epoch() for _ in range(5)), return_exceptions=True
    )
    refused = [o for o in outcomes if isinstance(o, DatabaseUnavailable)]
    assert len(refused) == 2
    assert "3 calls wait" in str(refused[0])
    await store.read_epoch()
