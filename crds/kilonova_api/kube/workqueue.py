"""Keys waiting to be reconciled: each by one worker at a time, none lost.

The number of keys is bounded; so is the number of workers. A failing key comes
back after a growing pause, with jitter. A fresh ``add`` cuts that pause short,
as news may be the cure, but never below a second: a reconcile that fails after
a write of its own would otherwise chase its own echo.

A run answers every wish made before it began, timers included: a reconcile
that wants to look again later asks so with ``add_after`` each time. Where only
time brings it back, again and again, the pause may grow until there are news.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Generic

from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock, Deadline
from kilonova_api.kube.errors import ApiError, KubeError, LeaseLost, StoreWentBack
from kilonova_api.kube.slots import K, QueueFull, Slots

__all__ = ["ErrorHandler", "QueueFull", "QueueSettings", "WorkQueue"]

ErrorHandler = Callable[[K, Exception, int], None]
"""Hears key, error and the number of failures in a row."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Bounds and pauses of a queue.

    ``reconcile_seconds`` ends a reconcile that hangs. ``fatal`` errors are
    nobody's to retry: they end ``run``.
    """

    workers: int = 4
    max_keys: int = 200_000
    reconcile_seconds: float = 600.0
    fastest_retry_seconds: float = 1.0
    backoff: Backoff = field(default_factory=lambda: Backoff(0.5, 300.0))
    fatal: tuple[type[Exception], ...] = (LeaseLost, StoreWentBack)


class WorkQueue(Generic[K]):
    """A bounded set of workers over a bounded set of keys.

    Belongs to one loop; other threads use ``loop.call_soon_threadsafe``.
    """

    def __init__(
        self,
        name: str,
        reconcile: Callable[[K], Awaitable[None]],
        *,
        clock: Clock,
        random: Random,
        settings: QueueSettings | None = None,
        on_error: ErrorHandler[K] | None = None,
    ) -> None:
        self.name = name
        self._reconcile = reconcile
        self._clock = clock
        self._random = random
        self._settings = settings or QueueSettings()
        self._on_error = on_error or self._log
        self._slots: Slots[K] = Slots(name, self._settings.max_keys)
        self._ready: asyncio.Queue[K] = asyncio.Queue()  # bounded by the slots
        self._timer_set = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._stopping = False
        self._sleeps_until = float("inf")
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def depth(self) -> int:
        """Keys that wait for a worker."""
        return self._slots.queued

    @property
    def running(self) -> int:
        """Keys that a worker reconciles."""
        return self._slots.running

    def __len__(self) -> int:
        """Count all keys, those that wait for a later time included."""
        return len(self._slots)

    def failures(self, key: K) -> int:
        """Give how often the key failed in a row."""
        return self._slots.failures(key)

    def add(self, key: K) -> None:
        """Let the key be reconciled soon, once more if it is at this moment.

        Raises:
            QueueFull: there is no room for another key.
        """
        if self._slots.add(key, self._clock.boottime()):
            self._ready.put_nowait(key)
        self._changed()

    def add_after(
        self, key: K, seconds: float, *, most_seconds: float | None = None
    ) -> None:
        """Let the key be reconciled later; the earliest wish counts.

        most_seconds: the pause grows up to this, with jitter, each time the key
        runs without having been added.

        Raises:
            QueueFull: there is no room for another key.
        """
        if most_seconds is not None:
            pauses = Backoff(seconds, most_seconds)
            seconds = pauses.delay(self._slots.looks(key) + 1, self._random)
        self._slots.add_at(key, self._clock.boottime() + seconds)
        self._changed()

    async def run(self) -> None:
        """Reconcile until ``stop``; cancelling ends it at once.

        Raises:
            Exception: a fatal error of a reconcile.
        """
        workers = [self._work() for _ in range(self._settings.workers)]
        coroutines = [self._run_timers(), *workers]
        self._tasks = [asyncio.create_task(each) for each in coroutines]
        try:
            # Workers that stop return; only stop's cancel ends the timers.
            done, _ = await asyncio.wait(
                self._tasks, return_when=asyncio.FIRST_EXCEPTION
            )
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in done:
            if not task.cancelled():
                task.result()

    async def stop(self, *, grace_seconds: float) -> int:
        """Start nothing more, give what runs that time, and end ``run``.

        Returns:
            How many reconciles had to be cancelled.
        """
        self._stopping = True
        deadline = Deadline.after(self._clock, grace_seconds)
        rest = asyncio.create_task(self._at_rest.wait())
        end = asyncio.create_task(self._clock.sleep(deadline.left()))
        await asyncio.wait({rest, end}, return_when=asyncio.FIRST_COMPLETED)
        cancelled = self._slots.running
        for task in (rest, end, *self._tasks):
            task.cancel()
        await asyncio.gather(rest, end, *self._tasks, return_exceptions=True)
        return cancelled

    async def wait_idle(self) -> None:
        """Return when nothing runs and nothing is ready to."""
        await self._idle.wait()

    async def _work(self) -> None:
        while not self._stopping:
            key = await self._ready.get()
            if self._stopping:
                return
            self._slots.start(key)
            self._changed()
            error = await self._attempt(key)
            if error is not None:
                self._fail(key, error)
            elif self._slots.succeed(key):
                self._ready.put_nowait(key)
            self._changed()

    async def _attempt(self, key: K) -> Exception | None:
        try:
            async with asyncio.timeout(self._settings.reconcile_seconds):
                await self._reconcile(key)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Something inside was cancelled, not this worker: it must live on.
            return RuntimeError("the reconcile was cancelled from inside")
        except self._settings.fatal:
            raise
        except Exception as error:  # noqa: BLE001 - told to on_error, and retried
            return error
        return None

    def _fail(self, key: K, error: Exception) -> None:
        failures = self._slots.fail(key)
        now = self._clock.boottime()
        pause = self._settings.backoff.delay(failures, self._random)
        if isinstance(error, ApiError) and error.retry_after_seconds:
            pause += error.retry_after_seconds
        fastest = min(pause, self._settings.fastest_retry_seconds)
        self._slots.retry_at(key, now + pause, not_before=now + fastest)
        self._on_error(key, error, failures)

    async def _run_timers(self) -> None:
        while True:
            for key in self._slots.fire(self._clock.boottime()):
                self._ready.put_nowait(key)
            self._sleeps_until = self._slots.next_due() or float("inf")
            self._timer_set.clear()
            self._changed()
            await self._sleep_or_timer_set()

    async def _sleep_or_timer_set(self) -> None:
        if self._sleeps_until == float("inf"):
            await self._timer_set.wait()
            return
        left = self._sleeps_until - self._clock.boottime()
        tasks = (
            asyncio.create_task(self._clock.sleep(left)),
            asyncio.create_task(self._timer_set.wait()),
        )
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _changed(self) -> None:
        due = self._slots.next_due()
        if due is not None and due < self._sleeps_until:
            self._timer_set.set()
        _set_to(self._at_rest, self._slots.running == 0)
        _set_to(self._idle, self._slots.running == self._slots.queued == 0)

    def _log(self, key: K, error: Exception, failures: int) -> None:
        # The trace of an error that is part of the plan tells nobody anything.
        logger.warning(
            "%s: %s failed %d times in a row: %s: %s",
            self.name,
            key,
            failures,
            type(error).__name__,
            error,
            exc_info=None if isinstance(error, KubeError) else error,
        )


def _set_to(event: asyncio.Event, value: bool) -> None:  # noqa: FBT001
    if value:
        event.set()
    else:
        event.clear()
