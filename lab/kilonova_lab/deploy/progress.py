"""Waiting that can be watched."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO, TypeVar

from kilonova_lab.errors import NotReady

_T = TypeVar("_T")
_POLL_SECONDS = 0.25


@dataclass(slots=True)
class Progress:
    """Prints what is done and how long it took, a line a step."""

    out: TextIO = field(default_factory=lambda: sys.stderr)
    _started: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Print one line with the time since the start."""
        seconds = time.monotonic() - self._started
        self.out.write(f"[{seconds:6.1f} s] {text}\n")
        self.out.flush()

    def wait(
        self,
        what: str,
        look: Callable[[], _T | None],
        *,
        seconds: float,
        explain: Callable[[], str] = lambda: "",
    ) -> _T:
        """Call ``look`` until it returns something; say ``explain`` as it changes.

        Raises:
            NotReady: it returned None until the end; carries the last word.
        """
        deadline = time.monotonic() + seconds
        said = ""
        while (found := look()) is None:
            word = explain()
            if word and word != said:
                self.say(f"{what}: {word}")
                said = word
            if time.monotonic() > deadline:
                raise NotReady(what, seconds=seconds, detail=said)
            time.sleep(_POLL_SECONDS)
        return found
