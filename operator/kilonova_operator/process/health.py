"""``/healthz`` and ``/readyz``: whether to restart the process, and what it does.

Alive means that both loops turn, ours by answering and kopf's by its pulse. It
says nothing of databases or the API server: no restart cures those. Ready
means that the process does its work, or stands by with warm caches; until then
the answer says what is waited for.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import orjson
from aiohttp import web

logger = logging.getLogger(__name__)

Pulse = Callable[[], Awaitable[bool]]
_LISTEN_BACKLOG = 16


@dataclass(slots=True)
class Health:
    """What the process does now, for people and probes."""

    stage: str = "starting"
    ready: bool = False
    problems: dict[str, str] = field(default_factory=dict)
    """What is wrong though the process goes on, by topic."""

    def waiting(self, what: str) -> None:
        """Say what has to come before the process can work; logged when new."""
        if what != self.stage:
            logger.warning("not ready: %s", what)
        self.stage, self.ready = what, False

    def working(self, stage: str) -> None:
        """Say that the process does what it is there for."""
        logger.info("ready: %s", stage)
        self.stage, self.ready = stage, True

    def note(self, topic: str, problem: str | None) -> None:
        """Note a problem, or with None its end."""
        if problem is None:
            self.problems.pop(topic, None)
            return
        if self.problems.get(topic) != problem:
            logger.warning("%s: %s", topic, problem)
        self.problems[topic] = problem


class HealthServer:
    """Serves both probes."""

    def __init__(self, health: Health, pulse: Pulse) -> None:
        self._health = health
        self._pulse = pulse
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the health server does not listen")
        port: int = self._runner.addresses[0][1]
        return port

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=_LISTEN_BACKLOG).start()

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        alive = await self._pulse()
        body = {"alive": alive, "stage": self._health.stage}
        return _answer(body, good=alive)

    async def _readyz(self, _request: web.Request) -> web.Response:
        health = self._health
        body = {
            "ready": health.ready,
            "stage": health.stage,
            "problems": health.problems,
        }
        return _answer(body, good=health.ready)


def _answer(body: object, *, good: bool) -> web.Response:
    return web.Response(
        body=orjson.dumps(body),
        status=200 if good else 503,
        content_type="application/json",
    )
