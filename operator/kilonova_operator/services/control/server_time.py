"""Time as the API server tells it: what stands in objects is measured by that."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock

MOST_SKEW_SECONDS = 30.0
"""A wall clock that is further off is believed in nothing that ages."""


@dataclass(frozen=True, slots=True)
class ServerTime:
    """The wall clock, put right by the ``Date`` of the API server's answers."""

    clock: Clock
    read_skew_seconds: Callable[[], float | None]
    """How far our wall clock is ahead; None before the first answer."""

    def now(self) -> datetime:
        """Return the API server's time, as far as its answers tell it."""
        skew = self.read_skew_seconds() or 0.0
        return self.clock.utcnow() - timedelta(seconds=skew)

    def find_skew(self) -> str | None:
        """Say how far the wall clock is off; None if no more than it may be."""
        skew = self.read_skew_seconds()
        if skew is None or abs(skew) <= MOST_SKEW_SECONDS:
            return None
        way = "ahead of" if skew > 0 else "behind"
        return (
            f"ClockSkewed: the wall clock is {abs(skew):.0f} s {way} the API "
            "server's; nothing is aged out. Put the time of this node right, or of "
            "the API server's."
        )


def build_server_time(kube: KubeApi, clock: Clock) -> ServerTime:
    """Return the time of the server that ``kube`` talks to."""
    return ServerTime(clock, lambda: getattr(kube, "clock_skew_seconds", None))
