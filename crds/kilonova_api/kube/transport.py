"""One HTTP session: a request goes out once, an answer or an error comes back.

Retries are the client's business; so is what an answer means.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from kilonova_api.kube.clock import Clock
from kilonova_api.kube.connection import Connection
from kilonova_api.kube.errors import ApiError, Call, Unreachable
from kilonova_api.kube.statuses import build_error, parse_retry_after, parse_status

CONNECTIONS = 100
CONNECT_SECONDS = 5.0
_FIRST_ERROR = 300  # redirects are not followed: they could carry the token away


@dataclass(frozen=True, slots=True)
class Request:
    """What goes over the wire, apart from who asks."""

    call: Call
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"


class Transport:
    """The session of one connection; made in the loop that uses it."""

    def __init__(
        self, connection: Connection, *, clock: Clock, user_agent: str
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None
        self._last_date = ""
        self.clock_skew_seconds: float | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, request: Request, *, timeout_seconds: float) -> bytes:
        """Send once and give the body of a 2xx answer.

        Raises:
            ApiError: any other answer.
            Unreachable: no (complete) answer in time.
        """
        limits = aiohttp.ClientTimeout(
            total=timeout_seconds, sock_connect=min(CONNECT_SECONDS, timeout_seconds)
        )
        try:
            async with await self._open(request, limits) as response:
                return await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(request.call, error) from None

    async def stream(
        self, request: Request, *, total_seconds: float, silence_seconds: float
    ) -> aiohttp.ClientResponse:
        """Open a long answer; the caller reads and closes it.

        ``silence_seconds`` bounds the time between two reads by a timer of the
        loop: the last resort where nobody else listens to the silence.
        """
        limits = aiohttp.ClientTimeout(
            total=total_seconds,
            sock_connect=CONNECT_SECONDS,
            sock_read=silence_seconds,
        )
        try:
            return await self._open(request, limits)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(request.call, error) from None

    async def _open(
        self, request: Request, limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        credentials = self._connection.credentials
        proof = await credentials.authorization()
        response = await self._request(request, limits, proof)
        if response.status == 401:
            credentials.reject()
            newer = await credentials.authorization()
            if newer != proof:
                response.release()
                response = await self._request(request, limits, newer)
        if response.status >= _FIRST_ERROR:
            async with response:
                raise await _read_error(request.call, response)
        return response

    async def _request(
        self, request: Request, limits: aiohttp.ClientTimeout, proof: str | None
    ) -> aiohttp.ClientResponse:
        headers = {} if proof is None else {"Authorization": proof}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        url = self._connection.server + request.path
        if request.query:
            url = f"{url}?{urlencode(request.query)}"
        response = await self._get_session().request(
            request.method,
            URL(url, encoded=True),
            data=request.body,
            headers=headers,
            timeout=limits,
            allow_redirects=False,
            proxy=self._connection.proxy,
            server_hostname=self._connection.tls_server_name,
        )
        self._note_date(response.headers.get("Date", ""))
        return response

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            tls: dict[str, Any] = {}
            if self._connection.tls is not None:
                tls["ssl"] = self._connection.tls
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, **tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={
                    "Accept": "application/json",
                    # Packing costs the server more than these links gain.
                    "Accept-Encoding": "identity",
                    "User-Agent": self._user_agent,
                },
            )
        return self._session

    def _note_date(self, date: str) -> None:
        # The header changes once a second: parsing it each time is 5 % of a write.
        if not date or date == self._last_date:
            return
        self._last_date = date
        try:
            server = parsedate_to_datetime(date)
        except ValueError:
            return
        # The header cuts off the fraction; half a second is its mean.
        ours = self._clock.utcnow() - timedelta(seconds=0.5)
        self.clock_skew_seconds = (ours - server).total_seconds()


async def _read_error(call: Call, response: aiohttp.ClientResponse) -> ApiError:
    return build_error(
        call,
        parse_status(await response.read()),
        status_code=response.status,
        retry_after_seconds=parse_retry_after(response.headers.get("Retry-After")),
    )


def _unreachable(call: Call, error: Exception) -> Unreachable:
    # The errors of aiohttp hold the host and the reason, never headers.
    not_sent = isinstance(
        error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
    )
    why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Unreachable(call, why, sent=not not_sent)
