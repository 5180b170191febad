"""The executor is bounded, and locks do not stay."""

import asyncio

import pytest

from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.storage.sql import database as module
from kilonova_operator.storage.sql.keyed_locks import KeyedLocks
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


async def test_keyed_locks_keep_order_and_leave_nothing() -> None:
    locks, seen = KeyedLocks(), []

    async def work(number: int) -> None:
        async with locks.hold("hv1"):
            seen.append(number)
            await asyncio.sleep(0)
            seen.append(number)

    await asyncio.gather(*(work(number) for number in range(4)))
    assert seen == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(locks) == 0


async def test_a_cancelled_waiter_leaves_no_lock() -> None:
    locks = KeyedLocks()
    async with locks.hold("hv1"):
        waiter = asyncio.ensure_future(locks.hold("hv1").__aenter__())
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
    assert len(locks) == 0
