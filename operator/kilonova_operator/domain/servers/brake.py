"""The brake on deletions: an unusual number of destroys waits for a person."""

from dataclasses import dataclass


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
