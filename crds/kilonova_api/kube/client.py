"""The real ``KubeApi``: typed verbs over one HTTP session.

Each verb ends within its deadline. What may be repeated without harm is
repeated while the server is unreachable, overloaded (429, when it says) or
failing (5xx), with growing pauses.
"""

from collections.abc import Sequence
from datetime import datetime
from random import Random
from types import TracebackType
from typing import Self

from kilonova_api.kube.api import BoundObject, IssuedToken
from kilonova_api.kube.bodies import encode_json
from kilonova_api.kube.caller import Caller
from kilonova_api.kube.clock import Clock, Deadline, SystemClock
from kilonova_api.kube.connection import Connection
from kilonova_api.kube.errors import Call
from kilonova_api.kube.resources import SERVICE_ACCOUNT, KubeObject
from kilonova_api.kube.transport import Request, Transport
from kilonova_api.kube.writes import Writes

USER_AGENT = "kilonova"
DEFAULT_TIMEOUT_SECONDS = 30.0


class KubeClient(Writes):
    """All verbs of ``KubeApi``. Use as an async context manager, or close it."""

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        user_agent: str = USER_AGENT,
    ) -> None:
        clock = clock or SystemClock()
        transport = Transport(connection, clock=clock, user_agent=user_agent)
        super().__init__(
            Caller(
                transport=transport,
                clock=clock,
                random=random or Random(),  # noqa: S311 - jitter, not secrets
                timeout_seconds=timeout_seconds,
            )
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; a later call opens new ones."""
        await self._caller.transport.close()

    @property
    def clock_skew_seconds(self) -> float | None:
        """This machine's clock minus the server's; None before any answer."""
        return self._caller.transport.clock_skew_seconds

    async def create_token(
        self,
        namespace: str,
        service_account: str,
        *,
        audiences: Sequence[str] = (),
        expiration_seconds: int = 3600,
        bound_object: BoundObject | None = None,
        deadline: Deadline | None = None,
    ) -> IssuedToken:
        """See ``KubeApi.create_token``."""
        spec = _token_spec(audiences, expiration_seconds, bound_object)
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": spec,
        }
        call = Call.on("create token of", SERVICE_ACCOUNT, namespace, service_account)
        path = SERVICE_ACCOUNT.path(namespace, service_account, subresource="token")
        request = Request(call, "POST", path, body=encode_json(body))
        # A token too many expires by itself.
        status = (await self._ask(request, deadline=deadline))["status"]
        expires_at = datetime.fromisoformat(status["expirationTimestamp"])
        return IssuedToken(status["token"], expires_at)


def _token_spec(
    audiences: Sequence[str], expiration_seconds: int, bound: BoundObject | None
) -> KubeObject:
    spec: KubeObject = {
        "audiences": [*audiences],
        "expirationSeconds": expiration_seconds,
    }
    if bound is not None:
        spec["boundObjectRef"] = {
            "apiVersion": bound.api_version,
            "kind": bound.kind,
            "name": bound.name,
            "uid": bound.uid,
        }
    return spec
