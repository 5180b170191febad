"""Answers to the kubelet's probes, on loopback: ``/healthz`` and ``/readyz``.

Written on bare streams: a web framework would cost more memory than the answer.
"""

import asyncio
import contextlib
from collections.abc import Callable

_TIMEOUT_SECONDS = 5.0
_MAX_REQUEST_LINE = 1024


class HealthServer:
    """``/healthz`` answers as long as the loop turns; ``/readyz`` asks."""

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready

    async def run(self, host: str, port: int) -> None:
        """Serve until cancelled."""
        server = await asyncio.start_server(
            self._answer, host, port, limit=_MAX_REQUEST_LINE
        )
        async with server:
            await server.serve_forever()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                line = await reader.readline()
                writer.write(self._build_answer(line))
                await writer.drain()
        writer.close()

    def _build_answer(self, line: bytes) -> bytes:
        words = line.split()
        path = words[1] if len(words) > 1 else b""
        if path == b"/healthz" or (path == b"/readyz" and self._is_ready()):
            status, body = b"200 OK", b"ok\n"
        elif path == b"/readyz":
            status, body = b"503 Service Unavailable", b"not yet\n"
        else:
            status, body = b"404 Not Found", b"not found\n"
        head = b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\n" % status
        return head + b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (
            len(body),
            body,
        )
