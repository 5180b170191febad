"""A local, current copy of one kind, and callbacks on its changes.

::

    list, no version ──> watch from the list's version <──┐
      ^                    │ ended in order: resume ──────┤
      │                    │ broken: probe, then resume ──┘
      └── version compacted, refused, or 90 s of silence

A resumed watch of a store that was put back to an older state answers 200 and
stays silent for ever. So silence (no event and no bookmark, which come every
minute) leads to a fresh list and never to a resume; after a broken stream a
list of one object shows whether the store still is where it was; and a version
below the highest seen raises StoreWentBack, which must end the process.

What cannot be read is not gone: while lists fail or are refused, the copy and
``last_heard_at`` stay as they are.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from random import Random
from typing import Any, Generic, Never, TypeVar

from kilonova_api.kube.api import Lister, WatchEvent
from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import (
    ApiError,
    KubeError,
    ServerUnavailable,
    StoreWentBack,
    TooManyRequests,
    Unreachable,
)
from kilonova_api.kube.mirror import ChangeHandler, Mirror
from kilonova_api.kube.resources import Key, KubeObject, Resource
from kilonova_api.kube.store import Store

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InformerSettings:
    """Times and sizes of an informer.

    ``silence_seconds`` is one and a half times the server's pause between
    bookmarks. The server ends a stream after one to two ``watch_seconds``, so
    that streams spread over servers that come back.
    """

    silence_seconds: float = 90.0
    silence_check_seconds: float = 10.0
    watch_seconds: float = 300.0
    page_size: int = 500
    backoff: Backoff = field(default_factory=lambda: Backoff(0.5, 30.0))


class Informer(Generic[T]):
    """Mirrors what ``parse`` makes of each object of a kind (or of a part)."""

    def __init__(
        self,
        source: Lister,
        resource: Resource,
        parse: Callable[[KubeObject], T],
        *,
        clock: Clock,
        random: Random,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        floor: int = 0,
        on_store_went_back: Callable[[int, int], None] | None = None,
        settings: InformerSettings | None = None,
    ) -> None:
        """``floor``: the highest version that an earlier process saw."""
        self._source = source
        self._resource = resource
        self._scope: dict[str, Any] = {
            "namespace": namespace,
            "label_selector": label_selector,
            "field_selector": field_selector,
        }
        self._what = f"{resource.kind} informer" + (
            f" of {namespace}" if namespace else ""
        )
        self._clock = clock
        self._random = random
        self._settings = settings or InformerSettings()
        self._on_store_went_back = on_store_went_back
        self._mirror = Mirror(resource.kind, parse)
        self._position = ""
        self._failures = 0
        self._synced = asyncio.Event()
        self.highest_version = floor
        self.last_heard_at = clock.boottime()
        self.last_error: KubeError | None = None

    def on_change(self, handler: ChangeHandler[T]) -> None:
        """Call ``handler`` on every change; register before ``run``.

        It runs inside the stream's reader: it must return at once, so it
        usually adds the key to a work queue.
        """
        self._mirror.on_change(handler)

    def add_index(self, name: str, indexer: Callable[[T], Iterable[Hashable]]) -> None:
        """File every value under what ``indexer`` gives for it."""
        self._mirror.store.add_index(name, indexer)

    def find(self, key: Key) -> T | None:
        """Give the value, None when absent."""
        return self._mirror.store.get(key)

    def get(self, key: Key) -> T:
        """Give the value; KeyError when absent."""
        return self._mirror.store[key]

    def items(self) -> Store[T]:
        """Give the live, read-only mapping of all values."""
        return self._mirror.store

    def by_index(self, name: str, value: Hashable) -> list[T]:
        """Give the values filed under ``value``."""
        return self._mirror.store.by_index(name, value)

    def __len__(self) -> int:
        return len(self._mirror.store)

    @property
    def synced(self) -> bool:
        """Whether a complete list was read since the start."""
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        """Return once a complete list was read."""
        await self._synced.wait()

    @property
    def unparsable(self) -> Mapping[Key, str]:
        """Objects that ``parse`` refused, with the class of its error."""
        return self._mirror.unparsable

    async def run(self) -> Never:
        """Keep the copy current until cancelled.

        Raises:
            StoreWentBack: end the process; nothing in the copy may be trusted.
        """
        try:
            while True:
                try:
                    await self._list()
                    await self._follow_until_silent()
                except StoreWentBack:
                    raise
                except KubeError as error:
                    await self._pause_after(error)
        except StoreWentBack as error:
            if self._on_store_went_back is not None:
                self._on_store_went_back(error.seen, error.got)
            raise

    async def _list(self) -> None:
        listed: set[Key] = set()
        limit = self._settings.page_size
        pages = self._source.pages(self._resource, **self._scope, limit=limit)
        async with aclosing(pages):
            async for page in pages:
                self._check(page.resource_version)
                self._heard(int(page.resource_version))
                listed.update(self._mirror.take(obj) for obj in page.items)
                self._position = page.resource_version
        self._mirror.sweep(listed)
        self._recovered()
        self._synced.set()

    async def _follow_until_silent(self) -> None:
        following = asyncio.create_task(self._follow())
        listening = asyncio.create_task(self._wait_for_silence())
        tasks = (following, listening)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if following.done() and not following.cancelled():
            following.result()
        logger.info("%s: heard nothing, lists afresh", self._what)

    async def _wait_for_silence(self) -> None:
        # In steps, so that the sleep of a machine is noticed soon after it.
        step = self._settings.silence_check_seconds
        while (left := self._silent_at() - self._clock.boottime()) > 0:
            await self._clock.sleep(min(left, step))

    def _silent_at(self) -> float:
        return self.last_heard_at + self._settings.silence_seconds

    async def _follow(self) -> Never:
        while True:
            began_at = self._clock.boottime()
            heard_at = self.last_heard_at
            try:
                await self._watch()
            except (Unreachable, ServerUnavailable, TooManyRequests) as error:
                await self._pause_after(error)
                await self._probe()
                continue
            if self.last_heard_at == heard_at and self._clock.boottime() - began_at < 1:
                # A server that ends every stream at once must not be flooded.
                await self._pause()

    async def _watch(self) -> None:
        seconds = self._settings.watch_seconds * (1 + self._random.random())
        events = self._source.watch(
            self._resource,
            **self._scope,
            resource_version=self._position,
            timeout_seconds=seconds,
        )
        async with aclosing(events):
            async for event in events:
                self._apply(event)

    def _apply(self, event: WatchEvent) -> None:
        # A stream may well be behind the lists that were read meanwhile, but
        # never behind itself.
        version, position = int(event.resource_version), int(self._position)
        if version < position:
            raise StoreWentBack(self._what, seen=position, got=version)
        if event.type == "DELETED":
            self._mirror.forget(Key.of_object(event.object))
        elif event.type != "BOOKMARK":
            self._mirror.take(event.object)
        self._heard(version)
        self._position = event.resource_version
        self._recovered()

    async def _probe(self) -> None:
        """Raise StoreWentBack if the store is not where it was any more.

        Between a restore and the silence's end new writes may lift the version
        over the highest seen again; right after the broken stream they have not.
        """
        while True:
            try:
                pages = self._source.pages(self._resource, **self._scope, limit=1)
                async with aclosing(pages):
                    page = await anext(pages)
            except (Unreachable, ServerUnavailable, TooManyRequests) as error:
                await self._pause_after(error)
                continue
            self._check(page.resource_version)
            return

    def _heard(self, version: int) -> None:
        self.highest_version = max(self.highest_version, version)
        self.last_heard_at = self._clock.boottime()

    def _check(self, version: str) -> None:
        got = int(version)
        if got < self.highest_version:
            raise StoreWentBack(self._what, seen=self.highest_version, got=got)
        self.highest_version = got

    async def _pause_after(self, error: KubeError) -> None:
        if self.last_error is None:
            logger.warning("%s: %s", self._what, error)
        self.last_error = error
        asked = error.retry_after_seconds if isinstance(error, ApiError) else None
        await self._pause(asked or 0.0)

    async def _pause(self, at_least_seconds: float = 0.0) -> None:
        self._failures += 1
        own = self._settings.backoff.delay(self._failures, self._random)
        await self._clock.sleep(at_least_seconds + own)

    def _recovered(self) -> None:
        if self.last_error is not None:
            logger.info("%s: hears again", self._what)
        self.last_error = None
        self._failures = 0
