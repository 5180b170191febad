"""Opening an image's URL: each hop checked, and connected to as checked."""

import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from kilonova_agent.domain.faults import ImageUnavailable, InvalidUrl
from kilonova_agent.storage.images.address_policy import (
    AddressPolicy,
    IpAddress,
    find_address,
    split_url,
)

MAX_REDIRECTS = 5
CONNECT_SECONDS = 15.0
# A server that sends nothing for so long is given up, and asked again.
READ_SECONDS = 60.0
_REDIRECTS = {301, 302, 303, 307, 308}


class CheckedResolver(AbstractResolver):
    """Resolves names and refuses a name if any of its addresses is refused.

    The connector connects to what comes back from here and asks nobody again,
    so that a name cannot change its mind between check and use.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Resolve a name.

        Raises:
            InvalidUrl: one of its addresses may not be connected to.
        """
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            self._policy.check(result["host"], host=host)
        return found

    async def close(self) -> None:
        """Close the resolver underneath."""
        await self._resolver.close()


class HttpSource:
    """Opens URLs for reading."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    @contextlib.asynccontextmanager
    async def open(
        self, url: str, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give the answer to a GET, after its redirects.

        Raises:
            InvalidUrl: the URL, or one it redirects to, may not be opened.
            ImageUnavailable: nobody answers there.
        """
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self._policy), use_dns_cache=False, limit=4
        )
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            response = await self._follow(session, url, headers)
            async with response:
                yield response

    async def _follow(
        self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._get(session, url, headers)
            if response.status not in _REDIRECTS:
                return response
            location = response.headers.get("Location", "")
            response.close()
            url = urljoin(url, location)
        raise InvalidUrl(f"the image's URL redirects more than {MAX_REDIRECTS} times")

    async def _get(
        self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        host = split_url(url).hostname or ""
        address = find_address(host)
        if address is not None:  # the connector asks no resolver about addresses
            self._policy.check(address, host=host)
        wanted = {"Accept-Encoding": "identity", "User-Agent": "kilonova", **headers}
        try:
            return await session.get(url, headers=wanted, allow_redirects=False)
        except InvalidUrl:
            raise
        except (aiohttp.InvalidURL, ValueError) as error:
            raise InvalidUrl(f"the image's URL cannot be read: {error}") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ImageUnavailable(
                f"the image's server at {host} does not answer: {describe(error)}"
            ) from error


def describe(error: BaseException) -> str:
    """Say what went wrong; some errors have a name only."""
    return str(error) or type(error).__name__


def is_own_address(address: IpAddress) -> bool:
    """Tell whether the address is one of this host's: only those can be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        return error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
    return True
