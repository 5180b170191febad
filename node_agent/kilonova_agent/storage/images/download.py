"""Downloading one file, going on where the last attempt ended.

A partial file has a note beside it: where it comes from and the server's own
mark of that version (ETag or Last-Modified). With the mark, ``If-Range`` lets
the server decide between the rest and the whole; without it all begins anew.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import aiohttp
import orjson

from kilonova_agent.domain.faults import (
    DiskFull,
    ImageTooLarge,
    ImageUnavailable,
)
from kilonova_agent.storage.durable import write_durably
from kilonova_agent.storage.file_system import FileSystem
from kilonova_agent.storage.images.http_source import HttpSource, describe
from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock

log = logging.getLogger(__name__)

CHUNK_BYTES = 1024 * 1024
# Attempts in a row without a single new byte; one that got further counts anew.
FRUITLESS_ATTEMPTS = 3
_PAUSES = Backoff(first_seconds=0.5, most_seconds=10.0)
_TRY_AGAIN = {408, 425, 429}
_FIRST_SERVER_ERROR = 500


class _Interrupted(Exception):
    """The server, or the way to it, failed; another attempt may go on."""


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """What a download must not exceed."""

    max_bytes: int
    min_free_bytes: int
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class _Note:
    url: str
    mark: str


class Download:
    """One URL into one partial file. Never two at a time on one file."""

    def __init__(
        self,
        source: HttpSource,
        limits: DownloadLimits,
        *,
        fs: FileSystem,
        clock: Clock,
        random: Random,
    ) -> None:
        self._fs = fs
        self._source = source
        self._limits = limits
        self._clock = clock
        self._random = random

    async def run(self, url: str, part: Path) -> None:
        """Make ``part`` the complete file.

        Raises:
            InvalidUrl: the URL may not be opened.
            ImageUnavailable: the server does not give the file.
            ImageTooLarge: it is bigger than allowed.
            DiskFull: the host has no room for it.
        """
        fruitless = 0
        try:
            async with asyncio.timeout(self._limits.timeout_seconds):
                while True:
                    before = _size(part)
                    try:
                        await self._attempt(url, part)
                    except (_Interrupted, ImageUnavailable) as error:
                        if isinstance(error, ImageUnavailable) and error.final:
                            raise
                        fruitless = 1 if _size(part) > before else fruitless + 1
                        if fruitless >= FRUITLESS_ATTEMPTS:
                            raise ImageUnavailable(str(error)) from error
                        log.info("download of %s: %s; going on", part.name, error)
                        pause = _PAUSES.delay(fruitless, self._random)
                        await self._clock.sleep(pause)
                    else:
                        return
        except TimeoutError:
            raise ImageUnavailable(
                "the image's server is too slow: the download did not end within "
                f"{self._limits.timeout_seconds:.0f} s"
            ) from None

    async def _attempt(self, url: str, part: Path) -> None:
        headers, start = _build_resume_headers(url, part)
        async with self._source.open(url, headers) as response:
            offset = _check_answer(response, start)
            if offset is None:  # what we have is not the beginning of this file
                await asyncio.to_thread(self._fs.unlink, part)
                raise _Interrupted("the server's file changed")
            self._check_room(part, offset, response.content_length or 0)
            if offset == 0:
                await asyncio.to_thread(self._write_note, part, url, response.headers)
            await self._copy(response, part, offset)

    async def _copy(
        self, response: aiohttp.ClientResponse, part: Path, offset: int
    ) -> None:
        written = offset
        with await asyncio.to_thread(self._fs.open_part, part, offset) as file:
            try:
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    written += len(chunk)
                    if written > self._limits.max_bytes:
                        raise self._too_large(written)
                    await asyncio.to_thread(self._fs.append, file, chunk)
            except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                raise _Interrupted(
                    f"the image's server broke off after {written} bytes: "
                    f"{describe(error)}"
                ) from error
            finally:
                # Only what is on disk may count when an attempt goes on.
                await asyncio.shield(asyncio.to_thread(self._fs.sync, part))

    def _write_note(self, part: Path, url: str, headers: Mapping[str, str]) -> None:
        etag = headers.get("ETag", "")
        # A weak ETag says "much alike", which is not enough to join two halves.
        mark = etag if etag and not etag.startswith("W/") else ""
        mark = mark or headers.get("Last-Modified", "")
        if mark:
            content = orjson.dumps({"url": url, "mark": mark})
            write_durably(self._fs, note_path(part), content)
        else:
            self._fs.unlink(note_path(part))

    def _check_room(self, part: Path, offset: int, coming: int) -> None:
        if offset + coming > self._limits.max_bytes:
            raise self._too_large(offset + coming)
        stat = os.statvfs(part.parent)
        free = stat.f_bavail * stat.f_frsize - self._limits.min_free_bytes
        if coming > free:
            raise DiskFull(
                f"the image needs {coming} bytes more, and the host can give {free}. "
                "Make room in the agent's state directory."
            )

    def _too_large(self, size: int) -> ImageTooLarge:
        return ImageTooLarge(
            f"the image file has {size} bytes or more; this host takes images up to "
            f"{self._limits.max_bytes} bytes"
        )


def note_path(part: Path) -> Path:
    """Return where a partial file's note is."""
    return part.with_name(f"{part.name}.json")


def _build_resume_headers(url: str, part: Path) -> tuple[dict[str, str], int]:
    start, note = _size(part), _read_note(part)
    if start == 0 or note is None or note.url != url:
        return {}, 0
    return {"Range": f"bytes={start}-", "If-Range": note.mark}, start


def _check_answer(response: aiohttp.ClientResponse, start: int) -> int | None:
    """Give the offset that the body begins at; None: begin anew."""
    status = response.status
    if status == 200:
        return 0
    if status == 206 and start:
        begin = response.headers.get("Content-Range", "").removeprefix("bytes ")
        return start if begin.startswith(f"{start}-") else None
    if status == 416:
        return None
    error = ImageUnavailable(
        f"the image's server answered {status} {response.reason or ''}".strip()
        + ". Check the image's URL."
    )
    error.final = status < _FIRST_SERVER_ERROR and status not in _TRY_AGAIN
    raise error


def _read_note(part: Path) -> _Note | None:
    try:
        data = orjson.loads(note_path(part).read_bytes())
        return _Note(str(data["url"]), str(data["mark"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
