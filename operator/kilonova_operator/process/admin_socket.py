"""A unix socket on which admins ask the process that leads.

Who may exec into the pod may ask: the socket's folder is the process's own
(0700), and nothing listens on a network. A request is ``POST /<verb>`` with one
JSON object of bounded size, and has one JSON answer: what was asked for, or
``{"reason", "message"}``.
"""

import asyncio
import logging
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from kilonova_api.admin import MAX_REQUEST_BYTES, Refusal
from kilonova_api.kube.errors import KubeError
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.services.admin_verbs import AdminVerbs, BadRequest, UnknownVerb

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 60.0
_AT_ONCE = 4
_LISTEN_BACKLOG = 16
_PATH_BYTES = 107
"""Longer paths do not fit into sockaddr_un (unix(7))."""


class AdminSocketUnusable(KilonovaError):
    """The socket cannot be listened on; the process goes on without it."""


class NotLeader(KilonovaError):
    """Another process schedules: ask that one."""

    def __init__(self) -> None:
        super().__init__(
            "this process does not hold the Lease of role super; its holder answers"
        )


class Busy(KilonovaError):
    """As many requests are being answered as may be at once."""

    def __init__(self) -> None:
        super().__init__(f"{_AT_ONCE} requests are being answered; ask again")


class AnswerTimeout(KilonovaError):
    """The answer took too long and was given up."""

    def __init__(self) -> None:
        super().__init__(f"no answer within {ANSWER_SECONDS:g} s; ask again later")


class AdminSocket:
    """Serves the verbs of a process while it leads."""

    def __init__(
        self,
        verbs: AdminVerbs,
        *,
        leads: Callable[[], bool],
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._verbs = verbs
        self._leads = leads
        self._answer_seconds = answer_seconds
        self._free = _AT_ONCE
        self._runner: web.AppRunner | None = None
        self._path: Path | None = None

    async def start(self, path: Path) -> None:
        """Listen.

        Raises:
            AdminSocketUnusable: why, and what to change.
        """
        _prepare(path)
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.router.add_post("/{verb}", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.UnixSite(self._runner, path, backlog=_LISTEN_BACKLOG)
        try:
            await site.start()
        except OSError as error:
            await self.close()
            raise AdminSocketUnusable(f"{path}: {error.strerror}") from None
        self._path = path

    async def close(self) -> None:
        """Stop listening; the file goes."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            return _respond(await self._answer(request), status=200)
        except web.HTTPRequestEntityTooLarge:
            text = f"the request has more than {MAX_REQUEST_BYTES} bytes"
            return _refuse("RequestTooLarge", text, status=413)
        except (BadRequest, UnknownVerb) as wrong:
            return _refuse(wrong.reason, str(wrong), status=400)
        except (KilonovaError, KubeError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            return _refuse(str(reason), str(error), status=503)
        except Exception:
            # One answer fails; the process that schedules goes on.
            logger.exception("admin request %s failed", request.path)
            text = "the operator failed to answer; its log has the trace"
            return _refuse("InternalError", text, status=500)

    async def _answer(self, request: web.Request) -> Mapping[str, Any]:
        if not (self._leads() and self._verbs.registered):
            raise NotLeader
        verb = self._verbs.get(request.match_info["verb"])
        if self._free == 0:
            raise Busy
        self._free -= 1
        try:
            async with asyncio.timeout(self._answer_seconds):
                return await verb(_read_object(await request.read()))
        except TimeoutError:
            raise AnswerTimeout from None
        finally:
            self._free += 1


def _prepare(path: Path) -> None:
    """Make the folder the process's own, and take a dead process's socket away."""
    if len(os.fsencode(path)) > _PATH_BYTES:
        raise AdminSocketUnusable(
            f"{path}: longer than {_PATH_BYTES} bytes. Set KILONOVA_ADMIN_SOCKET to a "
            "shorter path"
        )
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise AdminSocketUnusable(
                f"{folder} is no folder of this process's account. Set "
                "KILONOVA_ADMIN_SOCKET to a path in a folder of its own"
            )
        folder.chmod(0o700)
        if os.path.lexists(path):
            _take_away(path)
    except OSError as error:
        raise AdminSocketUnusable(f"{path}: {error.strerror}") from None


def _take_away(path: Path) -> None:
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise AdminSocketUnusable(f"{path} is there and no socket. Take it away")
    path.unlink()


def _read_object(body: bytes) -> Mapping[str, Any]:
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the request is no JSON: {error.msg}") from None
    if not isinstance(read, dict):
        raise BadRequest("the request must be one JSON object")
    return read


def _refuse(reason: str, message: str, *, status: int) -> web.Response:
    refusal = Refusal(reason=reason, message=message)
    return _respond(refusal.wire(), status=status)


def _respond(body: Mapping[str, Any], *, status: int) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json"
    )
