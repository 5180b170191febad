"""Waiting for what comes true later, with a reason when it does not."""

import time
from collections.abc import Callable

_POLL_SECONDS = 0.1


def eventually(
    check: Callable[[], bool], what: str, *, timeout_seconds: float = 20.0
) -> None:
    """Return when ``check`` is true; fail with ``what`` when it stays false."""
    deadline = time.monotonic() + timeout_seconds
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {timeout_seconds:g} s: {what}")
        time.sleep(_POLL_SECONDS)
