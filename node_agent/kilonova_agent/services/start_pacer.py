"""Pauses between starts of a guest that does not stay up."""

from dataclasses import dataclass
from random import Random

from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock

_PAUSES = Backoff(first_seconds=4.0, most_seconds=300.0)
# A guest that ran so long did not fail at starting.
_STAYED_UP_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class _Starts:
    count: int
    last: float
    pause: float


class StartPacer:
    """Counts starts by guest. The first is free."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._starts: dict[str, _Starts] = {}

    def seconds_left(self, uuid: str) -> float:
        """Give how long the guest's next start has to wait."""
        starts = self._starts.get(uuid)
        if starts is None:
            return 0.0
        return max(0.0, starts.last + starts.pause - self._clock.boottime())

    def note_start(self, uuid: str) -> None:
        """Hear that the guest is being started."""
        now, before = self._clock.boottime(), self._starts.get(uuid)
        count = 1
        if before is not None and now - before.last < _STAYED_UP_SECONDS:
            count = before.count + 1
        pause = _PAUSES.delay(count, self._random)
        self._starts[uuid] = _Starts(count, now, pause)

    def forget(self, uuid: str) -> None:
        """Hear that the guest is gone."""
        self._starts.pop(uuid, None)
