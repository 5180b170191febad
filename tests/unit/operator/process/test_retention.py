"""Old tombstones and history go, but never by a clock that is wrong."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from kilonova_operator.context import Stores
from kilonova_operator.process.retention import Retention
from kilonova_operator.services.control.server_time import ServerTime
from kilonova_operator.settings import Settings
from support.clock import FakeClock

DAY = timedelta(days=1)


@dataclass
class Sweeps:
    """Stands for every database and for their terms; notes what is swept."""

    done: dict[str, timedelta] = field(default_factory=dict)

    def term(self, database: str) -> str:
        return database

    def find_term(self, database: str) -> str | None:
        return None if database == "cell2" else database

    async def sweep_tombstones(self, term: str, *, older_than: timedelta) -> int:
        self.done[term] = older_than
        return 1

    sweep_history = sweep_tombstones

    async def sweep_rosters(self, term: str, *, older_than: timedelta) -> int:
        self.done[f"{term} rosters"] = older_than
        return 1


async def sweep(skew_seconds: float | None) -> dict[str, timedelta]:
    sweeps: Any = Sweeps()
    stores = Stores(sweeps, {"cell1": sweeps, "cell2": sweeps}, {})
    time = ServerTime(FakeClock(), lambda: skew_seconds)
    await Retention(stores, sweeps, Settings(), time).run_once()
    done: dict[str, timedelta] = sweeps.done
    return done


@pytest.mark.parametrize("skew_seconds", [None, 0.0, 29.0, -29.0])
async def test_what_is_old_goes_where_the_term_is_ours(
    skew_seconds: float | None,
) -> None:
    done = await sweep(skew_seconds)
    assert done.pop("api rosters") > timedelta(0)
    assert done == {"api": 35 * DAY, "cell1": 90 * DAY}


@pytest.mark.parametrize("skew_seconds", [31.0, -31.0, 40 * 86400.0])
async def test_a_skewed_clock_ages_nothing_out(
    skew_seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    assert await sweep(skew_seconds) == {}
    assert "ClockSkewed" in caplog.text
