"""Servers that wait for something, and what wakes them.

Kept in memory only: after a start every Server is looked at anyway, and those
that still wait say so again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kilonova_api.kube.resources import Key


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that a Server refers to, by kind and key."""

    kind: str
    key: Key


class Waiting:
    """Keys that wait for an object to appear or change, or for capacity."""

    def __init__(self, wake: Callable[[Key], None]) -> None:
        self._wake = wake
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

    def capacity_changed(self) -> None:
        """Wake all that wait for capacity, the longest waiting first."""
        waiting, self._for_capacity = tuple(self._for_capacity), {}
        for key in waiting:
            self._wake(key)
