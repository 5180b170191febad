"""A small API server for the official client: recorded objects, and exec."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from kilonova_api.kube.resources import Resource

Finished = tuple[bytes, bytes, int]
"""stdout, stderr, exit code."""
ExecScript = Callable[[list[str], bytes], Finished]
Upstream = Callable[[str, str], tuple[int, str]]
"""Takes a method and a path with its query; gives a code and a body."""

_STDOUT, _STDERR, _ERROR = b"\x01", b"\x02", b"\x03"
_FRAME_BYTES = 4096


def succeed(_command: list[str], _line: bytes) -> Finished:
    return b"", b"", 0


@dataclass
class KubeFront:
    """Serves in a thread of its own, for a client that blocks."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By path."""
    statuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Code and message for what is asked below a path."""
    run: ExecScript = succeed
    upstream: Upstream | None = None
    """Answers every read instead of the recorded objects."""
    commands: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    """Path, command and input of what was executed."""
    methods: list[str] = field(default_factory=list)
    page_objects: int = 2
    url: str = ""

    def put(self, resource: Resource, obj: dict[str, Any]) -> None:
        """Store an object."""
        meta = obj["metadata"]
        path = resource.path(meta.get("namespace"), meta["name"])
        self.objects[path] = obj

    def write_kubeconfig(self, path: Path, *, namespace: str = "shop") -> Path:
        """Write a kubeconfig with contexts ``here`` and ``elsewhere``."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [
                {"name": "front", "cluster": {"server": self.url}},
                {"name": "dead", "cluster": {"server": "http://127.0.0.1:9"}},
            ],
            "users": [{"name": "me", "user": {}}],
            "contexts": [
                {
                    "name": "here",
                    "context": {
                        "cluster": "front",
                        "user": "me",
                        "namespace": namespace,
                    },
                },
                {"name": "elsewhere", "context": {"cluster": "dead", "user": "me"}},
            ],
        }
        path.write_text(json.dumps(config))
        return path

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.path
        self.methods.append(f"{request.method} {path}")
        for start, (code, message) in self.statuses.items():
            if path.startswith(start):
                return _answer_status(code, message)
        if path.endswith("/exec"):
            return await self._exec(request, path)
        if self.upstream is not None:
            code, text = await asyncio.to_thread(
                self.upstream, request.method, request.path_qs
            )
            return web.Response(status=code, text=text, content_type="application/json")
        if path in self.objects:
            return web.json_response(self.objects[path])
        if not _names_collection(path):
            return _answer_status(404, f"{path} not found")
        return self._list(path, request.query)

    def _list(self, path: str, query: Any) -> web.Response:
        found = [
            obj
            for at, obj in sorted(self.objects.items())
            if _is_listed(collection=path, at=at)
        ]
        start = int(query.get("continue", 0))
        end = start + min(int(query.get("limit", 500)), self.page_objects)
        following = str(end) if end < len(found) else ""
        return web.json_response(
            {"items": found[start:end], "metadata": {"continue": following}}
        )

    async def _exec(self, request: web.Request, path: str) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            protocols=("v5.channel.k8s.io", "v4.channel.k8s.io"), max_msg_size=2**22
        )
        await socket.prepare(request)
        line = b""
        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                continue
            line += message.data[1:]
            if line.endswith(b"\n"):
                break
        command = request.query.getall("command")
        self.commands.append((path, command, line))
        stdout, stderr, code = await asyncio.to_thread(self.run, command, line)
        for channel, data in ((_STDOUT, stdout), (_STDERR, stderr)):
            for start in range(0, len(data), _FRAME_BYTES):
                await socket.send_bytes(channel + data[start : start + _FRAME_BYTES])
        await socket.send_bytes(_ERROR + json.dumps(_build_status(code)).encode())
        await socket.close()
        return socket


def _build_status(code: int) -> dict[str, Any]:
    if code == 0:
        return {"status": "Success"}
    cause = {"reason": "ExitCode", "message": str(code)}
    return {
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "details": {"causes": [cause]},
    }


def _answer_status(code: int, message: str) -> web.Response:
    body = {"kind": "Status", "code": code, "message": message}
    return web.json_response(body, status=code)


def _names_collection(path: str) -> bool:
    """Tell whether a path ends with a plural: /apis/group/version/.../plural."""
    parts = path.removeprefix("/apis/").split("/")[2:]
    return len(parts) == 1 or (len(parts) == 3 and parts[0] == "namespaces")


def _is_listed(*, collection: str, at: str) -> bool:
    if at.rpartition("/")[0] == collection:
        return True
    root, _, plural = collection.rpartition("/")
    return at.startswith(f"{root}/namespaces/") and at.split("/")[-2] == plural


@contextmanager
def kube_front() -> Iterator[KubeFront]:
    """Serve until the block ends."""
    front = KubeFront()
    loop = asyncio.new_event_loop()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", front.handle)
    runner = web.AppRunner(app)

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield front
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
