"""Tasks that must all live: the first that fails ends the process."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Supervisor:
    """Starts tasks, waits for the first failure, ends them all."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start a task; an error of it is the process's end."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def wait_failed(self) -> None:
        """Return never; raise the first error of a task."""
        await asyncio.shield(self._failed)

    async def end(self, *tasks: asyncio.Task[Any]) -> None:
        """Cancel these tasks, or all, and wait for their end."""
        ending = tasks or tuple(self._tasks)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        if not tasks and not self._failed.done():
            self._failed.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        # Asked for in any case: what fails second is no news, and no surprise.
        error = task.exception()
        if error is not None and not self._failed.done():
            self._failed.set_exception(error)
