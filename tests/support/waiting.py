"""Waiting for what comes true later, with a reason when it does not."""

import asyncio
import time
from collections.abc import Awaitable, Callable

_POLL_SECONDS = 0.1
_ASYNC_POLL_SECONDS = 0.05


def eventually(
    check: Callable[[], bool], what: str, *, timeout_seconds: float = 20.0
) -> None:
    """Return when ``check`` is true; fail with ``what`` when it stays false."""
    deadline = time.monotonic() + timeout_seconds
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {timeout_seconds:g} s: {what}")
        time.sleep(_POLL_SECONDS)


async def until(
    check: Callable[[], Awaitable[bool]] | Callable[[], bool],
    what: str | Callable[[], str],
    *,
    timeout_seconds: float = 30.0,
) -> None:
    """Return once ``check`` holds; fail with ``what`` otherwise."""
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                answer = check()
                if await answer if isinstance(answer, Awaitable) else answer:
                    return
                await asyncio.sleep(_ASYNC_POLL_SECONDS)
    except TimeoutError:
        text = what() if callable(what) else what
        raise AssertionError(f"not so after {timeout_seconds:g} s: {text}") from None
