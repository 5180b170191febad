"""The agent: the tasks that run as long as it does.

One agent per state directory. It can be killed at any moment; the next one goes
on from the files, the domains and the Instances it finds.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from kilonova_agent import VERSION
from kilonova_agent.drivers.base import ComputeDriver
from kilonova_agent.health import HealthServer
from kilonova_agent.parts import AgentParts, Outside
from kilonova_agent.services.canary import Canary
from kilonova_agent.settings import AgentSettings
from kilonova_agent.storage.file_system import FileSystem, HostFileSystem
from kilonova_agent.storage.leftovers import remove_leftovers
from kilonova_agent.storage.order_book import OrderBook, open_order_book
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock


class StateDirInUse(Exception):
    """Another agent works on this state directory."""


class Agent:
    """Runs one host's guests. See ``run``."""

    def __init__(
        self,
        settings: AgentSettings,
        kube: KubeApi,
        driver: ComputeDriver,
        *,
        clock: Clock,
        random: Random,
        fs: FileSystem | None = None,
        canary: Canary | None = None,
        clock_skew_seconds: Callable[[], float | None] = lambda: None,
        version: str = VERSION,
    ) -> None:
        self._outside = Outside(
            settings=settings,
            kube=kube,
            driver=driver,
            fs=fs or HostFileSystem(),
            clock=clock,
            random=random,
            canary=canary,
            clock_skew_seconds=clock_skew_seconds,
            version=version,
        )
        self._parts: AgentParts | None = None

    @property
    def ready(self) -> bool:
        """Whether the host's report is written."""
        return self._parts is not None and self._parts.watch.reported

    async def run(self) -> None:
        """Run the host's guests until cancelled.

        Raises:
            StateDirInUse: another agent does so already.
            StoreWentBack: the API server's store is older than it was; what was
                remembered of it is frozen, and the process must start anew.
        """
        settings = self._outside.settings
        with _locked(settings.state_dir):
            orders = await asyncio.to_thread(self._open_state)
            self._parts = AgentParts(self._outside, orders)
            try:
                await self._run(self._parts)
            except* Exception as group:
                # One cause is enough for whoever reads the last line of a log.
                raise _first(group) from group
            finally:
                await self._parts.images.close()

    def _open_state(self) -> OrderBook:
        fs, state_dir = self._outside.fs, self._outside.settings.state_dir
        remove_leftovers(fs, state_dir)
        return open_order_book(fs, state_dir)

    async def _run(self, parts: AgentParts) -> None:
        settings, outside = self._outside.settings, self._outside
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(outside.driver.run())
            tasks.create_task(parts.feed.run())
            tasks.create_task(parts.feed.note_versions())
            tasks.create_task(parts.queue.run())
            tasks.create_task(parts.watch.run())
            tasks.create_task(parts.heartbeat.run())
            tasks.create_task(parts.housekeeping.run())
            tasks.create_task(parts.resync())
            if outside.canary is not None:
                tasks.create_task(outside.canary.run())
            if settings.http_port:
                health = HealthServer(lambda: self.ready)
                address = (settings.http_host, settings.http_port)
                tasks.create_task(health.run(*address))


@contextlib.contextmanager
def _locked(state_dir: Path) -> Iterator[None]:
    state_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    fd = os.open(state_dir / "agent.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise StateDirInUse(
            f"another agent works on {state_dir}. It must end before this one starts."
        ) from None
    try:
        yield
    finally:
        os.close(fd)


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, Exception):
        raise TypeError("an exception group without an exception")
    return error
