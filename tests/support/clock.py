"""A clock that stands still until a test moves it."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

# Enough turns of the loop for any chain of awaits between two sleeps of ours.
TURNS = 50


class FakeClock:
    """Both clocks move together, and only by ``advance``."""

    def __init__(self, boottime: float = 1000.0) -> None:
        self._boottime = boottime
        self._utc = datetime(2026, 1, 1, tzinfo=UTC)
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def boottime(self) -> float:
        return self._boottime

    def utcnow(self) -> datetime:
        return self._utc

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (self._boottime + seconds, next(self._order), woken)
        heapq.heappush(self._sleepers, entry)
        await woken

    @property
    def sleeping(self) -> int:
        return sum(not woken.done() for _, _, woken in self._sleepers)

    def shift_wall_clock(self, seconds: float) -> None:
        """Let the wall clock jump; no duration may notice."""
        self._utc += timedelta(seconds=seconds)

    async def advance(self, seconds: float) -> None:
        """Move time on, waking each sleeper at its own moment."""
        target = self._boottime + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            at, _, woken = heapq.heappop(self._sleepers)
            if woken.done():  # its task was cancelled
                continue
            self._move_to(at)
            woken.set_result(None)
            await settle()
        self._move_to(target)
        await settle()

    def _move_to(self, at: float) -> None:
        self._utc += timedelta(seconds=at - self._boottime)
        self._boottime = at


async def settle() -> None:
    """Let every task that can go on without time or I/O do so."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


class HastyClock(FakeClock):
    """A clock on which every sleep ends at once, its time spent and noted."""

    def __init__(self, boottime: float = 1000.0) -> None:
        super().__init__(boottime)
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._move_to(self._boottime + max(0.0, seconds))
        await asyncio.sleep(0)
