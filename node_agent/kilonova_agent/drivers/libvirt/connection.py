"""One connection to libvirtd that comes back by itself.

::

    opening ──ok──> open ──closed, or a call ran out of time──> opening
       └──error──> pause (growing) ──> opening

Calls run in threads, so many at a time for each connection. Those that hang
hold neither the next connection nor its calls: opening and closing wait for no
call. While nothing is open, calls fail at once.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from random import Random
from typing import TypeVar

import libvirt

from kilonova_agent.drivers.base import DriverUnavailable
from kilonova_agent.drivers.libvirt.errors import is_connection_error
from kilonova_agent.drivers.libvirt.event_loop import ensure_event_loop
from kilonova_agent.drivers.libvirt.threads import Threads
from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock

log = logging.getLogger(__name__)
T = TypeVar("T")

# libvirtd is asked every 5 s, and dead after 3 questions without an answer.
KEEPALIVE_SECONDS = 5
KEEPALIVE_COUNT = 3
OPEN_TIMEOUT_SECONDS = 60.0
CALL_TIMEOUT_SECONDS = 60.0
# Calls at a time on one connection.
CALLS = 8
# With so many calls that hang no new connection is tried: they would hang there too.
MOST_THREADS = 40
_RECONNECT = Backoff(first_seconds=0.25, most_seconds=15.0)


@dataclass(frozen=True, slots=True)
class _Open:
    connection: libvirt.virConnect
    events: int
    closed: asyncio.Event
    slots: asyncio.Semaphore


class LibvirtConnection:
    """Opens libvirt, watches it, opens it again; runs calls in threads."""

    def __init__(self, uri: str, *, clock: Clock, random: Random) -> None:
        self.uri = uri
        self._clock = clock
        self._random = random
        self._threads = Threads("libvirt")
        self._open: _Open | None = None
        self._on_domain: Callable[[str], None] = lambda _: None
        self._on_open: Callable[[], None] = lambda: None

    @property
    def available(self) -> bool:
        """Whether a connection is open."""
        return self._open is not None

    def listen(
        self, *, on_domain: Callable[[str], None], on_open: Callable[[], None]
    ) -> None:
        """Set who hears of changed domains and of new connections."""
        self._on_domain = on_domain
        self._on_open = on_open

    async def run(self) -> None:
        """Keep the connection open until cancelled."""
        ensure_event_loop()
        failures = 0
        try:
            while True:
                try:
                    opened = await self._connect()
                except (
                    libvirt.libvirtError,
                    TimeoutError,
                    DriverUnavailable,
                ) as error:
                    failures += 1
                    log.warning("libvirt at %s is unavailable: %s", self.uri, error)
                    await self._clock.sleep(_RECONNECT.delay(failures, self._random))
                    continue
                failures = 0
                self._on_open()
                await opened.closed.wait()
                log.warning("the connection to libvirt at %s is lost", self.uri)
                self._drop()
        finally:
            self._drop()

    async def call(
        self,
        function: Callable[[libvirt.virConnect], T],
        *,
        timeout_seconds: float = CALL_TIMEOUT_SECONDS,
    ) -> T:
        """Run ``function`` with the connection in a thread.

        Raises:
            DriverUnavailable: no connection, or it broke or hung on the way.
            libvirt.libvirtError: libvirt answered with an error.
        """
        opened = self._open
        if opened is None:
            raise DriverUnavailable(f"libvirt at {self.uri} is not connected")
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._call(opened, function)
        except TimeoutError:
            opened.closed.set()  # a newer connection is not to blame
            raise DriverUnavailable(
                f"libvirt at {self.uri} gave no answer for {timeout_seconds:.0f} s"
            ) from None
        except libvirt.libvirtError as error:
            if is_connection_error(error):
                raise DriverUnavailable(f"libvirt at {self.uri}: {error}") from error
            raise

    async def _call(
        self, opened: _Open, function: Callable[[libvirt.virConnect], T]
    ) -> T:
        loop, slots = asyncio.get_running_loop(), opened.slots
        await slots.acquire()
        running = self._threads.start(lambda: function(opened.connection))
        # The slot is free when the thread is, not when nobody waits any more.
        running.add_done_callback(lambda _: _hand_over(loop, slots.release))
        return await asyncio.wrap_future(running)

    async def _connect(self) -> _Open:
        if self._threads.running >= MOST_THREADS:
            raise DriverUnavailable(
                f"{self._threads.running} calls have not come back; a new connection "
                "is tried when some have"
            )
        loop, closed = asyncio.get_running_loop(), asyncio.Event()
        opening = self._threads.start(lambda: self._open_blocking(loop, closed))
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_SECONDS):
                self._open = await asyncio.wrap_future(opening)
        except BaseException:
            opening.add_done_callback(self._close_late)
            raise
        return self._open

    def _open_blocking(
        self, loop: asyncio.AbstractEventLoop, closed: asyncio.Event
    ) -> _Open:
        connection = libvirt.open(self.uri)

        def on_close(_connection: object, _reason: int, _opaque: object) -> None:
            _hand_over(loop, closed.set)

        def on_lifecycle(
            _connection: object, domain: libvirt.virDomain, *_details: object
        ) -> None:
            uuid = domain.UUIDString()
            _hand_over(loop, lambda: self._on_domain(uuid))

        connection.registerCloseCallback(on_close, None)
        connection.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT)
        events = connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, on_lifecycle, None
        )
        return _Open(connection, events, closed, asyncio.Semaphore(CALLS))

    def _drop(self) -> None:
        """Forget the connection; close it aside, since closing can block."""
        opened, self._open = self._open, None
        if opened is not None:
            self._threads.start(lambda: _close(opened))

    def _close_late(self, opening: Future[_Open]) -> None:
        """Close what nobody waits for any more, aside, since closing can block."""
        if not opening.cancelled() and opening.exception() is None:
            self._threads.start(lambda: _close(opening.result()))


def _hand_over(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # the loop has ended, and nobody listens any more
        log.debug("an event of libvirt came after the end of the loop")


def _close(opened: _Open) -> None:
    try:
        # A registered callback holds the connection: close alone would leak it.
        opened.connection.domainEventDeregisterAny(opened.events)
        opened.connection.unregisterCloseCallback()
        opened.connection.close()
    except libvirt.libvirtError as error:
        log.debug("closing a connection to libvirt: %s", error)
