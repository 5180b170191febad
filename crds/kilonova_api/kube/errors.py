"""Errors of calls to the API server, one class per way to react.

::

    KubeError
    ├── Unreachable           no answer; ``sent`` tells if it may have been done
    ├── StoreWentBack         the store is older than what was seen before
    ├── LeaseLost             this process may no longer act as the holder
    └── ApiError              the server answered with a Status
        ├── Unauthorized 401  ├── Forbidden 403  ├── NotFound 404
        ├── AlreadyExists 409, reason AlreadyExists
        ├── Conflict 409      other uid or version than the one named
        ├── Gone 410          the version is compacted: list again
        ├── Invalid 422       ├── TooManyRequests 429
        ├── SchemaTooOld 500  the CRD lacks a field; no retry can help
        └── ServerUnavailable 5xx
            └── ServerTimeout 504 and reasons Timeout, ServerTimeout

No error holds a body or header of the request. Where the server's words may
quote values of a sensitive kind (a Secret), they are dropped.
"""

from dataclasses import dataclass
from typing import ClassVar

from kilonova_api.kube.resources import Resource

# Enough for any message a person reads; validation errors can quote whole specs.
MAX_MESSAGE_CHARS = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked of the server, as errors, logs and metrics name it."""

    verb: str
    path: str
    kind: str = ""
    namespace: str = ""
    name: str = ""
    sensitive: bool = False

    @classmethod
    def on(
        cls, verb: str, resource: Resource, namespace: str | None, name: str | None
    ) -> "Call":
        """Build the call on one object, or on a collection without a name."""
        if name is None:
            path = resource.collection_path(namespace)
        else:
            path = resource.path(namespace, name)
        return cls(
            verb=verb,
            path=path,
            kind=resource.kind,
            namespace=namespace or "",
            name=name or "",
            sensitive=resource.sensitive,
        )

    def __str__(self) -> str:
        target = "/".join(part for part in (self.namespace, self.name) if part)
        return " ".join(part for part in (self.verb, self.kind, target) if part)


class KubeError(Exception):
    """Anything that goes wrong between us and the API server."""


class Unreachable(KubeError):
    """No complete answer came.

    ``sent`` is false when the request certainly never left this machine.
    """

    def __init__(self, call: Call, why: str, *, sent: bool) -> None:
        self.call = call
        self.sent = sent
        super().__init__(
            f"{call}: the API server did not answer ({why}). "
            "Check the network and that the server runs."
        )


class StoreWentBack(KubeError):
    """The server's newest version is below one that was seen before."""

    def __init__(self, what: str, *, seen: int, got: int) -> None:
        self.seen = seen
        self.got = got
        super().__init__(
            f"{what}: resourceVersion went back from {seen} to {got}: etcd holds "
            "older data than before (was a backup restored?). Nothing known so "
            "far may be trusted: this process must start again."
        )


class LeaseLost(KubeError):
    """The Lease belongs to another holder, or could not be renewed in time."""

    def __init__(self, lease: str, why: str) -> None:
        self.lease = lease
        super().__init__(f"Lease {lease} is lost: {why}. This process must end.")


class ApiError(KubeError):
    """The server answered with an error Status."""

    status: ClassVar[int] = 0
    advice: ClassVar[str] = ""
    # Whether the server's words may repeat values of the request's body.
    quotes_content: ClassVar[bool] = True

    def __init__(
        self,
        call: Call,
        message: str = "",
        *,
        reason: str = "",
        status_code: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.call = call
        self.reason = reason or type(self).__name__
        self.status_code = type(self).status if status_code is None else status_code
        self.retry_after_seconds = retry_after_seconds
        hidden = call.sensitive and self.quotes_content
        self.message = "" if hidden else message[:MAX_MESSAGE_CHARS]
        text = f"{call}: {self.status_code} {self.reason}"
        if self.message:
            text += f": {self.message}"
        super().__init__(f"{text}. {self.advice}" if self.advice else text)


class Unauthorized(ApiError):
    """The server does not know this token or certificate (any more)."""

    status = 401
    quotes_content = False
    advice = "Check that the account exists and its token has not expired."


class Forbidden(ApiError):
    """The account may not do this, or an admission policy refused it."""

    status = 403
    quotes_content = False
    advice = "Check the account's roles and the admission policies."


class NotFound(ApiError):
    """The object, or its kind, does not exist."""

    status = 404
    quotes_content = False


class AlreadyExists(ApiError):
    """An object of that name is there already."""

    status = 409
    quotes_content = False


class Conflict(ApiError):
    """The object is not the one, or not in the version, that was named."""

    status = 409
    quotes_content = False
    advice = "Read the object again and decide anew."


class Gone(ApiError):
    """The version or list position is no longer kept by the server."""

    status = 410
    quotes_content = False


class Invalid(ApiError):
    """The server refused the content."""

    status = 422


class TooManyRequests(ApiError):
    """The server is overloaded and says when to come back."""

    status = 429
    quotes_content = False


class SchemaTooOld(ApiError):
    """The served schema lacks what was applied; the server says so with a 500."""

    status = 500
    advice = "Apply the CRDs of this program's version first."


class ServerUnavailable(ApiError):
    """The server failed; the same request may work later."""

    status = 503
    lowest: ClassVar[int] = 500


class ServerTimeout(ServerUnavailable):
    """The server gave up waiting for its store or its cache."""

    status = 504
