"""Waiting that can be watched."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from kilonova_lab.errors import NotReady
from kilonova_lab.stopwatch import Stopwatch

_T = TypeVar("_T")
_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Awaited:
    """Something to wait for: its name, how long, and what to say meanwhile."""

    what: str
    seconds: float
    explain: Callable[[], str] = lambda: ""


def wait_for(awaited: Awaited, look: Callable[[], _T | None], watch: Stopwatch) -> _T:
    """Call ``look`` until it returns something; report what keeps it as it changes.

    Raises:
        NotReady: it returned None until the end; carries the last word.
    """
    deadline = time.monotonic() + awaited.seconds
    said = ""
    while (found := look()) is None:
        word = awaited.explain()
        if word and word != said:
            watch.report(f"{awaited.what}: {word}")
            said = word
        if time.monotonic() > deadline:
            raise NotReady(awaited.what, seconds=awaited.seconds, detail=said)
        time.sleep(_POLL_SECONDS)
    return found
