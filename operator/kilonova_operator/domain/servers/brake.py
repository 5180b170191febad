"""The brake on deletions: an unusual number of destroys waits for a person."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

_SKEW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class BrakeSettings:
    """When deletions in a cell count as unusual."""

    least: int = 5
    percent: int = 10
    window_seconds: float = 600.0


def destroys_left(ordered: int, guests: int, settings: BrakeSettings) -> int:
    """Return how many more guests of a cell may be ordered destroyed now.

    ordered: orders within the window that count. guests: guests of the cell,
    those under order included, so that the limit does not sink while it is
    being used up.
    """
    most = max(settings.least, guests * settings.percent // 100)
    return max(0, most - ordered)


def is_young(
    times: Iterable[datetime | None], *, now: datetime, settings: BrakeSettings
) -> bool:
    """Tell whether a guest is younger than the window, by its oldest witness.

    times: whatever tells that it was there. A guest that nobody knows the age of,
    or that comes from the future, is not called young.
    """
    oldest = min((time for time in times if time is not None), default=None)
    if oldest is None:
        return False
    return -_SKEW < now - oldest < timedelta(seconds=settings.window_seconds)
