"""From the server's error answers to our error classes."""

from typing import Any

import orjson

from kilonova_api.kube.errors import (
    AlreadyExists,
    ApiError,
    Call,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    SchemaTooOld,
    ServerTimeout,
    ServerUnavailable,
    TooManyRequests,
    Unauthorized,
)

_BY_CODE: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
    504: ServerTimeout,
}
_BY_REASON: dict[str, type[ApiError]] = {
    "AlreadyExists": AlreadyExists,
    "Expired": Gone,
    "Gone": Gone,
    "Invalid": Invalid,
    "ServerTimeout": ServerTimeout,
    "Timeout": ServerTimeout,
    "TooManyRequests": TooManyRequests,
}
# Server-side apply answers 500 when the object does not fit the served schema.
# Nothing but the text tells it from a failure that a retry may cure.
_SCHEMA_WORDS = ("field not declared in schema", "failed to create typed patch object")


def parse_status(body: bytes) -> dict[str, Any]:
    """Read a Status; anything else (a proxy's page) gives an empty one."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return status if isinstance(status, dict) else {}


def build_error(
    call: Call,
    status: dict[str, Any],
    *,
    status_code: int,
    retry_after_seconds: float | None = None,
) -> ApiError:
    """Build the error of a Status, of an HTTP answer or of a watch's ERROR."""
    message = str(status.get("message") or "")
    reason = str(status.get("reason") or "")
    details = status.get("details")
    details = details if isinstance(details, dict) else {}
    if retry_after_seconds is None:
        retry_after_seconds = _seconds(details.get("retryAfterSeconds"))
    return _class_of(status_code, reason, message, details)(
        call,
        message,
        reason=reason,
        status_code=status_code,
        retry_after_seconds=retry_after_seconds,
    )


def parse_retry_after(header: str | None) -> float | None:
    """Read a Retry-After header; the server only ever sends whole seconds."""
    return float(header) if header and header.isascii() and header.isdigit() else None


def _class_of(
    status_code: int, reason: str, message: str, details: dict[str, Any]
) -> type[ApiError]:
    if status_code == SchemaTooOld.status and any(
        words in message for words in _SCHEMA_WORDS
    ):
        return SchemaTooOld
    causes = details.get("causes") or []
    if any(cause.get("field") == "metadata.uid" for cause in causes):
        return Conflict  # an apply that named the uid of an object's predecessor
    by_reason = _BY_REASON.get(reason)
    if by_reason is not None:
        return by_reason
    fallback = (
        ServerUnavailable if status_code >= ServerUnavailable.lowest else ApiError
    )
    return _BY_CODE.get(status_code, fallback)


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int) and value > 0 else None
