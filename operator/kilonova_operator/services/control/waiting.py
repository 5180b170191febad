"""Servers that wait for something, and what wakes them.

Kept in memory only: after a start every Server is looked at anyway, and those
that still wait say so again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from kilonova_api.kube.resources import Key

_ROUND_SECONDS = 1.0
_JITTER = 0.2

Later = Callable[[float, Callable[[], None]], object]
"""Calls back after so many seconds, as ``loop.call_later`` does."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that a Server refers to, by kind and key."""

    kind: str
    key: Key


class Waiting:
    """Keys that wait for an object to appear or change, or for capacity."""

    def __init__(
        self, wake: Callable[[Key], None], *, later: Later, random: Random
    ) -> None:
        self._wake = wake
        self._later = later
        self._random = random
        self._rests = False
        self._changed_in_rest = False
        self._rounds = 0
        self._for_reference: dict[Reference, set[Key]] = {}
        self._references_of: dict[Key, frozenset[Reference]] = {}
        self._for_capacity: dict[Key, None] = {}

    def for_references(self, key: Key, references: frozenset[Reference]) -> None:
        """Wake ``key`` when one of these changes; replaces what it waited for."""
        self.forget(key)
        self._references_of[key] = references
        for reference in references:
            self._for_reference.setdefault(reference, set()).add(key)

    def for_capacity(self, key: Key) -> None:
        """Wake ``key`` when a host may have got room; replaces what it waited for."""
        self.forget(key)
        self._for_capacity[key] = None

    def forget(self, key: Key) -> None:
        """Let ``key`` wait for nothing any more."""
        self._for_capacity.pop(key, None)
        for reference in self._references_of.pop(key, frozenset()):
            waiting = self._for_reference[reference]
            waiting.discard(key)
            if not waiting:
                del self._for_reference[reference]

    def reference_changed(self, reference: Reference) -> None:
        """Wake all that wait for this object."""
        for key in tuple(self._for_reference.get(reference, ())):
            self.forget(key)
            self._wake(key)

    @property
    def capacity_rounds(self) -> int:
        """How often those who wait for capacity were woken."""
        return self._rounds

    def capacity_changed(self) -> None:
        """Wake all that wait for capacity, the longest waiting first.

        The first change wakes at once, and those of the next second wake together
        at its end: many that wait must not all look again at each guest that goes.
        """
        if self._rests:
            self._changed_in_rest = True
            return
        self._rests = True
        seconds = _ROUND_SECONDS * self._random.uniform(1 - _JITTER, 1 + _JITTER)
        self._later(seconds, self._rested)
        self._rounds += 1
        waiting, self._for_capacity = tuple(self._for_capacity), {}
        for key in waiting:
            self._wake(key)

    def _rested(self) -> None:
        self._rests = False
        if self._changed_in_rest:
            self._changed_in_rest = False
            self.capacity_changed()
