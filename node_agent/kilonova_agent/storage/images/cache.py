"""The image cache: each image is downloaded and judged once for all its guests.

::

    images/<name>.part, .part.json   being downloaded, or broken off
    images/<name>.json               what is known of the image
    images/<name>                    complete and sound: the last file to appear

The name is a hash of URL, checksum and format: whoever knows only a checksum
cannot use what others downloaded.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

import orjson

from kilonova_agent.domain.faults import (
    ChecksumMismatch,
    GuestFault,
    StorageFailed,
)
from kilonova_agent.storage.durable import write_durably
from kilonova_agent.storage.file_system import FileSystem
from kilonova_agent.storage.images.download import Download, note_path
from kilonova_agent.storage.images.soundness import check_checksum, judge_file
from kilonova_agent.storage.storage_faults import build_storage_fault
from kilonova_api.image import ImageFile
from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock

log = logging.getLogger(__name__)

PARALLEL_DOWNLOADS = 3
_READ_ONLY = 0o444
# A server or a host may be well again soon; a file that is wrong stays wrong for long.
_UNAVAILABLE_PAUSES = Backoff(first_seconds=15.0, most_seconds=300.0)
_WRONG_PAUSES = Backoff(first_seconds=120.0, most_seconds=1800.0)


@dataclass(frozen=True, slots=True)
class CachedImage:
    """A complete, sound, read-only image."""

    name: str
    path: Path
    format: Literal["qcow2", "raw"]
    virtual_bytes: int


@dataclass(frozen=True, slots=True)
class _Failure:
    fault: GuestFault
    failures: int
    retry_at: float


class ImageDownloading(Exception):
    """The image is on its way; the waiter will be called."""


class ImageFailed(Exception):
    """The image could not be had; it is tried again after ``retry_seconds``."""

    def __init__(self, fault: GuestFault, retry_seconds: float) -> None:
        self.fault = fault
        self.retry_seconds = retry_seconds
        super().__init__(str(fault))


def image_name(image: ImageFile) -> str:
    """Return the name of an image's file in the cache."""
    text = f"{image.url}\0{image.checksum}\0{image.format}"
    return f"{hashlib.sha256(text.encode()).hexdigest()[:40]}.{image.format}"


class ImageCache:
    """Images by what their Instances say of them."""

    def __init__(
        self,
        folder: Path,
        download: Download,
        *,
        fs: FileSystem,
        clock: Clock,
        random: Random,
    ) -> None:
        self._folder = folder
        self._fs = fs
        self._download = download
        self._clock = clock
        self._random = random
        # Downloads and removals: until they land nobody is given the image.
        self._flights: dict[str, asyncio.Task[None]] = {}
        self._waiters: dict[str, set[str]] = {}
        self._on_done: Callable[[str], None] = lambda _: None
        self._failures: dict[str, _Failure] = {}
        self._pins: dict[str, int] = {}
        self._slots = asyncio.Semaphore(PARALLEL_DOWNLOADS)
        fs.make_folder(folder)

    def on_done(self, handler: Callable[[str], None]) -> None:
        """Call ``handler`` with each waiter when its image came, or failed."""
        self._on_done = handler

    def get(self, image: ImageFile, *, waiter: str) -> CachedImage:
        """Give the image if it is here; otherwise see that it comes.

        Raises:
            ImageDownloading: it is on its way.
            ImageFailed: the last attempt failed, and the next is not due yet.
        """
        name = image_name(image)
        if name not in self._flights:
            cached = self._find(name, image)
            if cached is not None:
                return cached
            failure = self._failures.get(name)
            left = failure.retry_at - self._clock.boottime() if failure else 0.0
            if failure is not None and left > 0:
                raise ImageFailed(failure.fault, left)
            self._flights[name] = asyncio.create_task(self._fetch(name, image))
        self._waiters.setdefault(name, set()).add(waiter)
        raise ImageDownloading(name)

    @contextlib.contextmanager
    def pinned(self, name: str) -> Iterator[None]:
        """Keep an image from being removed while an overlay is made on it."""
        self._pins[name] = self._pins.get(name, 0) + 1
        try:
            yield
        finally:
            self._pins[name] -= 1
            if not self._pins[name]:
                del self._pins[name]

    def list_removable(self) -> list[str]:
        """List the names of files that no download and no build holds."""
        busy = self._flights.keys() | self._pins.keys()
        names = {
            path.name.removesuffix(".json").removesuffix(".part")
            for path in self._folder.iterdir()
        }
        return sorted(names - busy)

    async def remove(self, name: str, *, is_used: Callable[[], bool]) -> None:
        """Remove an image and what is left of its downloads, unless it is needed.

        is_used: asked in a thread, when no build can begin with the image any
            more: a disk that was made until then is seen.
        """
        if name in self._flights or name in self._pins:
            return
        flight = asyncio.create_task(self._remove(name, is_used))
        self._flights[name] = flight
        await flight

    async def close(self) -> None:
        """End all downloads; what they have so far stays."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _find(self, name: str, image: ImageFile) -> CachedImage | None:
        path = self._folder / name
        if not path.exists():
            return None
        try:
            virtual_bytes = int(
                orjson.loads(self._info_path(name).read_bytes())["virtualBytes"]
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return CachedImage(name, path, image.format, virtual_bytes)

    async def _fetch(self, name: str, image: ImageFile) -> None:
        """Download and judge; whoever waits is told in any case."""
        try:
            async with self._slots:
                await self._fetch_and_check(name, image)
        except GuestFault as fault:
            self._note_failure(name, fault)
        except OSError as error:
            self._note_failure(name, build_storage_fault("keeping the image", error))
        except Exception as error:
            # Nobody foresaw it; without a pause it would come at once again.
            log.exception("image %s", name)
            unforeseen = StorageFailed(f"the image could not be kept: {error!r}")
            self._note_failure(name, unforeseen)
        else:
            self._failures.pop(name, None)
        finally:
            self._land(name)

    async def _remove(self, name: str, is_used: Callable[[], bool]) -> None:
        try:
            if not await asyncio.to_thread(is_used):
                await asyncio.to_thread(self._unlink, name)
                self._failures.pop(name, None)
        finally:
            self._land(name)

    def _unlink(self, name: str) -> None:
        part = self._folder / f"{name}.part"
        for path in (self._folder / name, part, note_path(part), self._info_path(name)):
            self._fs.unlink(path)

    def _land(self, name: str) -> None:
        """End a flight; whoever waited for it asks again."""
        del self._flights[name]
        for waiter in self._waiters.pop(name, ()):
            self._on_done(waiter)

    async def _fetch_and_check(self, name: str, image: ImageFile) -> None:
        part = self._folder / f"{name}.part"
        resumed = part.exists()
        await self._download.run(image.url, part)
        try:
            await asyncio.to_thread(check_checksum, part, image.checksum)
        except ChecksumMismatch:
            await asyncio.to_thread(self._forget_part, part)
            if not resumed:
                raise
            # The half from before may be to blame: once more from the start.
            log.info("image %s: wrong checksum after resuming, again from 0", name)
            await self._download.run(image.url, part)
            await asyncio.to_thread(check_checksum, part, image.checksum)
        try:
            info = await judge_file(part, image.format)
        except GuestFault:
            await asyncio.to_thread(self._forget_part, part)
            raise
        await asyncio.to_thread(self._finish, name, part, info.virtual_bytes)
        log.info("image %s is complete", name)

    def _finish(self, name: str, part: Path, virtual_bytes: int) -> None:
        content = orjson.dumps({"virtualBytes": virtual_bytes})
        write_durably(self._fs, self._info_path(name), content)
        # Guests' processes read it, whoever they run as; nobody writes it.
        self._fs.chmod(part, _READ_ONLY)
        # First, since nobody would look for it once the image is complete.
        self._fs.unlink(note_path(part))
        self._fs.rename(part, self._folder / name)
        self._fs.sync(self._folder)

    def _forget_part(self, part: Path) -> None:
        self._fs.unlink(part)
        self._fs.unlink(note_path(part))

    def _info_path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _note_failure(self, name: str, fault: GuestFault) -> None:
        before = self._failures.get(name)
        failures = before.failures + 1 if before else 1
        pauses = _UNAVAILABLE_PAUSES if fault.retryable else _WRONG_PAUSES
        pause = pauses.delay(failures, self._random)
        log.warning("image %s: %s: %s", name, fault.reason, fault.message)
        self._failures[name] = _Failure(fault, failures, self._clock.boottime() + pause)
