"""The other end of the admin socket: what ``kilonova-manage`` asks with."""

import asyncio
from pathlib import Path
from typing import BinaryIO

import aiohttp
import orjson

from kilonova_api.admin import MAX_REQUEST_BYTES, Refusal
from kilonova_operator.domain.errors import KilonovaError

_ANSWERED = 200
_TIMEOUT = aiohttp.ClientTimeout(total=90, connect=5)
"""More than the operator takes for the longest answer it gives."""


class OperatorSilent(KilonovaError):
    """Nobody answers at the socket."""


def answer_request(
    socket: Path | None, verb: str, request: BinaryIO
) -> tuple[bool, str]:
    """Ask the operator; return whether it answered, and its words as JSON.

    ``request``: one line is read of it, since a stream through ``exec`` may never
    end. What is too long is refused here already.
    """
    body = request.readline(MAX_REQUEST_BYTES + 1)
    if len(body) > MAX_REQUEST_BYTES:
        text = f"the request has more than {MAX_REQUEST_BYTES} bytes"
        return _refuse("RequestTooLarge", text)
    if socket is None:
        text = "KILONOVA_ADMIN_SOCKET is not set: the operator listens nowhere"
        return _refuse(OperatorSilent.reason, text)
    try:
        return asyncio.run(_ask(socket, verb, body))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        text = f"the operator does not answer at {socket}: {error or 'timeout'}"
        return _refuse(OperatorSilent.reason, text)


async def _ask(socket: Path, verb: str, body: bytes) -> tuple[bool, str]:
    connector = aiohttp.UnixConnector(str(socket))
    async with (
        aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as session,
        session.post(f"http://operator/{verb}", data=body) as answer,
    ):
        return answer.status == _ANSWERED, await answer.text()


def _refuse(reason: str, message: str) -> tuple[bool, str]:
    refusal = Refusal(reason=reason, message=message)
    return False, orjson.dumps(refusal.wire()).decode()
