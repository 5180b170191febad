"""An HTTP server of image files that can break off, redirect and lie."""

import asyncio
import hashlib
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class ImageServer:
    """Serves ``folder``; ``requests`` are (path, Range header or "")."""

    folder: Path
    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    break_off_after: int | None = None
    """Close the connection after so many bytes of a body."""
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    with_marks: bool = True
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Answers wait while it is clear."""

    def __post_init__(self) -> None:
        self.gate.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a GET."""
        name = request.path.lstrip("/")
        self.requests.append((name, request.headers.get("Range", "")))
        await self.gate.wait()
        if name in self.statuses:
            return web.Response(status=self.statuses[name])
        if name in self.redirects:
            raise web.HTTPFound(self.redirects[name])
        content = (self.folder / name).read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        start = 0
        wanted = request.headers.get("Range", "")
        if wanted and request.headers.get("If-Range") == etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        return await self._send(request, content, start, etag)

    async def _send(
        self, request: web.Request, content: bytes, start: int, etag: str
    ) -> web.StreamResponse:
        if start >= len(content) and start:
            return web.Response(status=416)
        body = content[start:]
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = len(body)
        if self.with_marks:
            response.headers["ETag"] = etag
        if start:
            end = f"{start}-{len(content) - 1}/{len(content)}"
            response.headers["Content-Range"] = f"bytes {end}"
        await response.prepare(request)
        if self.break_off_after is not None and len(body) > self.break_off_after:
            await response.write(body[: self.break_off_after])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(body)
        return response

    def add(self, name: str, content: bytes, *, format_: str = "raw") -> dict[str, Any]:
        """Serve a file; give the image that an Instance names it by."""
        (self.folder / name).write_bytes(content)
        return self.image_of(name, format_=format_)

    def add_disk(
        self, name: str = "blank.qcow2", *, size: str = "1M"
    ) -> dict[str, Any]:
        """Serve an empty qcow2 disk."""
        run_qemu_img("create", "-q", "-f", "qcow2", str(self.folder / name), size)
        return self.image_of(name, format_="qcow2")

    def image_of(self, name: str, *, format_: str) -> dict[str, Any]:
        """Build the image of a file that is served."""
        digest = hashlib.sha256((self.folder / name).read_bytes()).hexdigest()
        return {
            "url": f"{self.url}/{name}",
            "checksum": f"sha256:{digest}",
            "format": format_,
        }


def run_qemu_img(*arguments: str) -> None:
    """Run qemu-img for a test."""
    subprocess.run(["qemu-img", *arguments], check=True, capture_output=True)


@asynccontextmanager
async def image_server(folder: Path) -> AsyncIterator[ImageServer]:
    """Serve images on loopback."""
    images = ImageServer(folder)
    app = web.Application()
    app.router.add_get("/{path:.*}", images.handle)
    server = TestServer(app)
    await server.start_server()
    try:
        images.url = str(server.make_url("")).rstrip("/")
        yield images
    finally:
        await server.close()
