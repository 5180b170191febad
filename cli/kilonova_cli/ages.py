"""Ages as kubectl writes them."""

from datetime import UTC, datetime

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))
_TWO = 2


def tell_age(since: datetime | None, *, now: datetime | None = None) -> str:
    """Return the time since then: 12d, 3h, 90s; empty where it is not known."""
    if since is None:
        return ""
    seconds = max(0, int(((now or datetime.now(UTC)) - since).total_seconds()))
    for size, unit in _UNITS:
        if seconds >= _TWO * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
