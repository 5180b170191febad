"""Progress with the time it took, for people who wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Reports steps with the seconds since it was made."""

    tell: Report
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def report(self, step: str) -> None:
        """Say that a step is done."""
        self.tell(f"{self.seconds:6.1f} s  {step}")
