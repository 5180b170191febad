"""kopf's own HTTP session over our connection.

It is not shared with our client: kopf closes its session on a 401 and at its
end, and it lives in another loop.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import kopf

from kilonova_api.kube.connection import Connection

CONNECTIONS = 20
"""A stream for each kind, and room for lists and retries."""

Handler = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]


def build_session(connection: Connection) -> kopf.AiohttpSession:
    """Return a session for the running loop; each request carries a fresh token."""
    tls: dict[str, Any] = {} if connection.tls is None else {"ssl": connection.tls}
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, **tls),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(_Authorization(connection),),
        proxy=connection.proxy,
        headers={"User-Agent": "kilonova-operator kopf"},
    )
    return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)


class _Authorization:
    """Puts the proof of who we are into each request, renewed after a 401."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: Handler
    ) -> aiohttp.ClientResponse:
        credentials = self._connection.credentials
        if self._connection.tls_server_name is not None:
            request.server_hostname = self._connection.tls_server_name
        proof = await credentials.authorization()
        response = await self._send(request, handler, proof)
        if response.status != 401:
            return response
        credentials.reject()
        newer = await credentials.authorization()
        if newer == proof:
            return response
        response.release()
        return await self._send(request, handler, newer)

    async def _send(
        self, request: aiohttp.ClientRequest, handler: Handler, proof: str | None
    ) -> aiohttp.ClientResponse:
        if proof is not None:
            request.headers["Authorization"] = proof
        return await handler(request)
