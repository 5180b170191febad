"""An HTTP server that answers as it is told and remembers what was asked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class ScriptedApi:
    """Gives the next answer of its script; the last one again and again."""

    script: list[Answer]
    url: str = ""
    seen: list[Seen] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.seen.append(
            Seen(
                request.method,
                request.rel_url.raw_path,
                dict(request.query),
                dict(request.headers),
                orjson.loads(raw) if raw else None,
            )
        )
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return await answer(request)


@asynccontextmanager
async def scripted_api(*script: Answer) -> AsyncIterator[ScriptedApi]:
    api = ScriptedApi(list(script))
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", api.handle)
    server = TestServer(app)
    await server.start_server()
    try:
        api.url = str(server.make_url("")).rstrip("/")
        yield api
    finally:
        await server.close()


def answer_json(body: Any, status: int = 200, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(
            body=orjson.dumps(body),
            status=status,
            content_type="application/json",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    return answer


def answer_status(
    code: int, reason: str = "", message: str = "", **headers: str
) -> Answer:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return answer_json(body, code, **headers)


def answer_stream(*chunks: bytes, cut: bool = False) -> Answer:
    """Send the chunks; then end in good order, or drop the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if cut and request.transport is not None:
            request.transport.close()
        return response

    return answer


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Read the request and close the connection without a word."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def event_line(kind: str, obj: dict[str, Any]) -> bytes:
    return orjson.dumps({"type": kind, "object": obj}) + b"\n"


def build_object(
    name: str, version: int, *, uid: str = "", namespace: str = "shop", **fields: Any
) -> dict[str, Any]:
    metadata = {
        "namespace": namespace,
        "name": name,
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
    }
    return {"metadata": metadata, **fields}
