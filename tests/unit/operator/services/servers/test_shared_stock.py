"""What aggregates share is read anew, and claims under way count meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from kilonova_operator.domain.inventory import Inventory
from kilonova_operator.domain.providers import SHARING_TRAIT, Provider
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.shared_rooms import SharedAmounts
from kilonova_operator.services.servers.shared_stock import SharedStock

LICENCE = "CUSTOM_LICENCE"
POOL = Provider(
    "aggregate:pool",
    "u",
    1,
    "aggregate:pool",
    inventories={LICENCE: Inventory(total=4)},
    traits=frozenset({SHARING_TRAIT}),
    aggregates=frozenset({"pool"}),
)
ONE: SharedAmounts = {"aggregate:pool": {LICENCE: 1}}


@dataclass
class Database:
    """One sharing provider, in a database that may be away."""

    pool: Provider = POOL
    away: bool = False

    async def list_providers(
        self, *, sharing: bool = False, after: str = "", limit: int = 500
    ) -> Sequence[Provider]:
        if self.away:
            raise DatabaseUnavailable("api", "away")
        return [] if after else [self.pool]


def build(database: Database) -> SharedStock:
    api: Any = database
    return SharedStock(api, HostColumns(), stale=True)


def used(stock: SharedStock) -> int:
    (room,) = stock.columns.shared
    return room.used.get(LICENCE, 0)


async def test_claims_under_way_count_until_they_are_read() -> None:
    database = Database()
    stock = build(database)
    await stock.read(list)
    assert (used(stock), stock.stale) == (0, False)
    stock.take(ONE)
    assert used(stock) == 1
    await stock.read(lambda: [ONE])
    assert used(stock) == 1
    database.pool = replace(POOL, used={LICENCE: 1})
    await stock.read(list)
    assert used(stock) == 1


async def test_what_could_not_be_read_is_read_again() -> None:
    database = Database(away=True)
    stock = build(database)
    with pytest.raises(DatabaseUnavailable):
        await stock.read(list)
    assert stock.stale
    database.away = False
    await stock.read(list)
    assert not stock.stale
