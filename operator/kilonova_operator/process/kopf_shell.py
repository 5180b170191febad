"""kopf in a thread and a loop of its own.

At its end kopf cancels every task of its loop that was made after its start;
in ours these would be reconciles half-way through. And a burst of its events
(half a millisecond each) must not hold up a Lease that is due.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Self

import kopf

from kilonova_api.kube.connection import Connection
from kilonova_api.kube.resources import Key
from kilonova_operator.handlers.events import build_registry
from kilonova_operator.process.kopf_login import build_session
from kilonova_operator.process.kopf_settings import build_kopf_settings
from kilonova_operator.services.control.feeds import FeedKind, Feeds

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0
"""kopf waits 5 s for tasks that hang; after this it is left behind."""


class FeedPublisher:
    """Publishes in the loop that owns the feeds, whichever thread calls."""

    def __init__(self, feeds: Feeds, loop: asyncio.AbstractEventLoop) -> None:
        self._feeds = feeds
        self._loop = loop

    def publish(self, kind: FeedKind, key: Key, *, cell: str | None) -> None:
        """Hand over one key."""
        self._loop.call_soon_threadsafe(self._publish, kind, key, cell)

    def _publish(self, kind: FeedKind, key: Key, cell: str | None) -> None:
        self._feeds.publish(kind, key, cell=cell)

    def __copy__(self) -> Self:
        return self


_IDENTITY: Any = "kilonova-operator"
"""Peering's name for this process; nobody reads it, since it stands alone.

kopf exports no name for its type.
"""


Teller = Callable[[BaseException | None], None]
"""Tells the owner's loop that kopf is over, from kopf's thread."""


class KopfEnded(RuntimeError):
    """kopf watches no more: whoever went on would be deaf."""

    def __init__(self, error: BaseException | None) -> None:
        why = "nobody asked it to" if error is None else str(error)
        super().__init__(f"kopf has ended: {why}")


class KopfShell:
    """One kopf operator: run it, ask for its pulse, stop it."""

    def __init__(self, connection: Connection, feeds: Feeds, random: Random) -> None:
        self._connection = connection
        self._feeds = feeds
        self._random = random
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_flag: asyncio.Event | None = None

    async def run(self) -> None:
        """Watch until cancelled; raises whatever ended kopf."""
        owner = asyncio.get_running_loop()
        ended: asyncio.Future[BaseException | None] = owner.create_future()

        def settle(error: BaseException | None) -> None:
            if not ended.done():
                ended.set_result(error)

        def tell(error: BaseException | None) -> None:
            # A loop that is closed has nobody left to be told.
            if not owner.is_closed():
                owner.call_soon_threadsafe(settle, error)

        def work() -> None:
            error: BaseException | None = None
            try:
                asyncio.run(self._serve(FeedPublisher(self._feeds, owner), tell))
            except BaseException as caught:  # noqa: BLE001 - told to the owner
                error = caught
            tell(error)

        threading.Thread(target=work, name="kopf", daemon=True).start()
        try:
            error = await asyncio.shield(ended)
        except asyncio.CancelledError:
            await self._stop(ended)
            raise
        raise KopfEnded(error) from error

    async def has_pulse(self, *, timeout_seconds: float) -> bool:
        """Tell whether kopf's loop turns; also true before its start."""
        if self._loop is None:
            return True
        beat = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop)
        try:
            await asyncio.wait_for(asyncio.wrap_future(beat), timeout_seconds)
        except TimeoutError:
            return False
        return True

    async def _stop(self, ended: asyncio.Future[BaseException | None]) -> None:
        if self._loop is not None and self._stop_flag is not None:
            self._loop.call_soon_threadsafe(self._stop_flag.set)
        await asyncio.wait([ended], timeout=STOP_SECONDS)
        if not ended.done():
            logger.warning("kopf did not end within %g s", STOP_SECONDS)

    async def _serve(self, publisher: FeedPublisher, tell: Teller) -> None:
        self._stop_flag = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        ours = asyncio.all_tasks()
        registry = build_registry()
        kopf.on.login(registry=registry, id="login")(self._login)
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=build_kopf_settings(self._random),
            memo=publisher,
            clusterwide=True,
            standalone=True,
            # Without one kopf asks for the user's name, and the image's uid has none.
            identity=_IDENTITY,
            stop_flag=self._stop_flag,
        )
        # kopf ends when one of these does, but waits for the others first; with a
        # watcher dead of a deleted CRD they try to log in anew and never end.
        for task in tasks:
            task.add_done_callback(partial(_tell_failure, tell))
        await kopf.run_tasks(tasks, ignored=ours)

    async def _login(self, **_: Any) -> kopf.AiohttpSession:
        return build_session(self._connection)


def _tell_failure(tell: Teller, task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        tell(error)
