"""A thread for each blocking call, which nobody has to wait for.

A call into libvirt cannot be ended from outside. Python waits at its exit for
the threads of its own pools: one call that hangs would hold an agent that wants
to end, and keep a new one from starting.
"""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """Starts threads and counts them; their number is the caller's to bound."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._running: set[Future[Any]] = set()

    @property
    def running(self) -> int:
        """How many calls have not come back yet."""
        return len(self._running)

    def start(self, function: Callable[[], T]) -> Future[T]:
        """Run ``function`` in a thread of its own."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        self._running.add(future)

        def work() -> None:
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - it is the future's
                self._running.discard(future)
                future.set_exception(error)
            else:
                self._running.discard(future)
                future.set_result(result)

        Thread(target=work, name=self._name, daemon=True).start()
        return future
