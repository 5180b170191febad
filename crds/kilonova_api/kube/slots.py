"""Which keys wait, which run, which are due when: a work queue's book.

No I/O and no clock in here; the queue brings the time and carries keys that
became ready to its workers. A key has one slot from its first ``add`` until it
is done::

    add ──> queued ──> running ──> gone       done
              ^          │ └─────> queued     added again meanwhile
              └── due <──┘                    failed, or add_at
"""

import heapq
import itertools
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
STALE_TIMERS = 1000


class QueueFull(Exception):
    """The queue holds as many keys as it may; ``add`` again later."""

    def __init__(self, queue: str, max_keys: int) -> None:
        self.queue = queue
        super().__init__(
            f"queue {queue} is full ({max_keys} keys): raise its limit, or find "
            "out why its reconciles do not end"
        )


@dataclass(slots=True)
class _Slot:
    queued: bool = False
    running: bool = False
    again: bool = False
    due: float | None = None
    failures: int = 0
    looks: int = 0
    not_before: float = 0.0


class Slots(Generic[K]):
    """The slots of all keys of one queue; True answers mean: it is ready now."""

    def __init__(self, queue: str, max_keys: int) -> None:
        self._queue = queue
        self._max_keys = max_keys
        self._slots: dict[K, _Slot] = {}
        self._timers: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self.queued = 0
        self.running = 0

    def __len__(self) -> int:
        return len(self._slots)

    def failures(self, key: K) -> int:
        """Give how often the key failed in a row."""
        slot = self._slots.get(key)
        return slot.failures if slot else 0

    def looks(self, key: K) -> int:
        """Give how often in a row the key ran only because its time had come."""
        slot = self._slots.get(key)
        return slot.looks if slot else 0

    def add(self, key: K, now: float) -> bool:
        """Let the key run as soon as it may."""
        slot = self._slot(key)
        slot.looks = 0
        if slot.running:
            slot.again = True
            return False
        if now < slot.not_before:
            self._schedule(key, slot, slot.not_before)
            return False
        return self._enqueue(slot)

    def add_at(self, key: K, due: float) -> None:
        """Let the key run at ``due``, or at an earlier time it waits for."""
        slot = self._slot(key)
        if not slot.queued:
            self._schedule(key, slot, due)

    def start(self, key: K) -> None:
        """Note that a worker took the key; what was due is answered by this run."""
        slot = self._slots[key]
        slot.queued, slot.running, slot.due = False, True, None
        self.queued -= 1
        self.running += 1

    def succeed(self, key: K) -> bool:
        """Note a good end; the slot goes unless there is more to do."""
        slot = self._stop(key)
        slot.failures, slot.not_before = 0, 0.0
        if slot.again:
            slot.again = False
            return self._enqueue(slot)
        if slot.due is None:
            del self._slots[key]
        return False

    def fail(self, key: K) -> int:
        """Note a bad end and give the number in a row; ``retry_at`` must follow."""
        slot = self._stop(key)
        slot.failures += 1
        return slot.failures

    def retry_at(self, key: K, due: float, *, not_before: float) -> None:
        """Let a failed key run at ``due``, or at ``not_before`` when added."""
        slot = self._slots[key]
        slot.not_before = not_before
        self._schedule(key, slot, not_before if slot.again else due)
        slot.again = False

    def next_due(self) -> float | None:
        """Give the time of the next timer."""
        while self._timers:
            due, _, key = self._timers[0]
            slot = self._slots.get(key)
            if slot is not None and slot.due == due:
                return due
            heapq.heappop(self._timers)  # overtaken by another time or a run
        return None

    def fire(self, now: float) -> list[K]:
        """Give the keys that became ready."""
        ready: list[K] = []
        while (due := self.next_due()) is not None and due <= now:
            key = heapq.heappop(self._timers)[2]
            slot = self._slots[key]
            slot.due = None
            slot.looks += 1
            if slot.running:
                slot.again = True
            elif self._enqueue(slot):
                ready.append(key)
        return ready

    def _slot(self, key: K) -> _Slot:
        slot = self._slots.get(key)
        if slot is None:
            if len(self._slots) >= self._max_keys:
                raise QueueFull(self._queue, self._max_keys)
            slot = self._slots[key] = _Slot()
        return slot

    def _schedule(self, key: K, slot: _Slot, due: float) -> None:
        if slot.due is None or due < slot.due:
            slot.due = due
            heapq.heappush(self._timers, (due, next(self._order), key))
            self._drop_stale_timers()

    def _drop_stale_timers(self) -> None:
        # A key that runs often and each time asks for tomorrow leaves one
        # overtaken timer a run; without this they would stay until tomorrow.
        if len(self._timers) > 2 * len(self._slots) + STALE_TIMERS:
            self._timers = [
                (slot.due, next(self._order), key)
                for key, slot in self._slots.items()
                if slot.due is not None
            ]
            heapq.heapify(self._timers)

    def _enqueue(self, slot: _Slot) -> bool:
        if slot.queued:
            return False
        slot.queued, slot.due = True, None
        self.queued += 1
        return True

    def _stop(self, key: K) -> _Slot:
        slot = self._slots[key]
        slot.running = False
        self.running -= 1
        return slot
