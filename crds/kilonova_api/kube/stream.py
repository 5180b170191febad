"""A watch: lines of JSON on an answer that does not end."""

from collections.abc import AsyncGenerator

import aiohttp
import orjson

from kilonova_api.kube.api import WatchEvent
from kilonova_api.kube.bodies import LineSplitter
from kilonova_api.kube.errors import Call, Unreachable
from kilonova_api.kube.statuses import build_error
from kilonova_api.kube.transport import Request, Transport

# etcd takes no object above 1.5 MiB by default; JSON may be some times larger.
MAX_EVENT_BYTES = 16 * 2**20
# The server ends the stream itself; this much later we do.
GRACE_SECONDS = 30.0


async def stream_events(
    transport: Transport,
    request: Request,
    *,
    timeout_seconds: float,
    silence_seconds: float,
) -> AsyncGenerator[WatchEvent, None]:
    """Yield events until the server ends the stream in good order.

    Raises:
        Gone: the version asked for is compacted.
        ApiError: the server refused the watch or broke it off with a Status.
        Unreachable: the connection broke, or was silent for too long.
    """
    response = await transport.stream(
        request,
        total_seconds=timeout_seconds + GRACE_SECONDS,
        silence_seconds=silence_seconds,
    )
    lines = LineSplitter(MAX_EVENT_BYTES)
    try:
        async for chunk in response.content.iter_any():
            for line in lines.feed(chunk):
                yield _decode(request.call, line)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        why = f"the watch broke: {type(error).__name__}: {error}"
        raise Unreachable(request.call, why, sent=True) from None
    finally:
        response.close()


def _decode(call: Call, line: bytes) -> WatchEvent:
    try:
        event = orjson.loads(line)
        kind, obj = event["type"], event["object"]
        if kind != "ERROR":
            return WatchEvent(kind, obj, obj["metadata"]["resourceVersion"])
    except (ValueError, KeyError, TypeError):
        raise Unreachable(call, "the watch broke: no event", sent=True) from None
    raise build_error(call, obj, status_code=int(obj.get("code") or 500))
