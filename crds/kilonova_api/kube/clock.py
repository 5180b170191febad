"""Time as the rest of the code sees it: boot time for durations, UTC to show.

Every duration (silence, leases, backoff, deadlines) is a difference of
CLOCK_BOOTTIME readings: the wall clock may jump by a year, and CLOCK_MONOTONIC
stands still while a machine sleeps, which would make an old lease look fresh.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What tells the time; tests pass one whose time they move by hand."""

    def boottime(self) -> float:
        """Give seconds since boot, time asleep included; never goes back."""
        ...

    def utcnow(self) -> datetime:
        """Give the wall clock, aware, in UTC. Only for display and skew."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``; at once (after one turn) if not positive."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def boottime(self) -> float:
        """Read CLOCK_BOOTTIME."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def utcnow(self) -> datetime:
        """Read the wall clock."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleep in the running loop."""
        await asyncio.sleep(max(0.0, seconds))


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment that one operation, with all its retries, must not outlive."""

    clock: Clock
    ends_at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> "Deadline":
        """Build the deadline that is ``seconds`` away."""
        return cls(clock, clock.boottime() + seconds)

    def left(self) -> float:
        """Give the seconds left, never below 0."""
        return max(0.0, self.ends_at - self.clock.boottime())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.left() <= 0
