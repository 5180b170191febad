"""Where the API server is and how a request proves who sends it."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from kilonova_api.kube.clock import Clock

# The kubelet renews a projected token at 80 % of its life, which is at least
# 10 minutes; a minute of age is always early enough.
TOKEN_REREAD_SECONDS = 60.0

TokenProvider = Callable[[], Awaitable[str]]
"""Gives a token that is valid now; it does its own caching and renewal."""


class Credentials(Protocol):
    """What goes into the Authorization header, asked for before each attempt."""

    async def authorization(self) -> str | None:
        """Give the header's value, None where the certificate is the proof."""
        ...

    def reject(self) -> None:
        """Hear that the server answered 401: drop what is remembered."""
        ...


class NoToken:
    """A client certificate, or no proof at all."""

    async def authorization(self) -> str | None:
        """Give nothing."""
        return None

    def reject(self) -> None:
        """Do nothing: there is nothing to renew."""


class TokenFile:
    """A projected ServiceAccount token, read again every minute."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._header: str | None = None
        self._read_at = 0.0

    async def authorization(self) -> str | None:
        """Give the token that was in the file less than a minute ago."""
        now = self._clock.boottime()
        if self._header is None or now - self._read_at >= TOKEN_REREAD_SECONDS:
            # 1 KiB of tmpfs: less time than handing it to a thread.
            token = self._path.read_text(encoding="ascii").strip()
            self._header = f"Bearer {token}"
            self._read_at = now
        return self._header

    def reject(self) -> None:
        """Read the file again before the next attempt."""
        self._header = None


class ProvidedToken:
    """A token that somebody else keeps fresh."""

    def __init__(
        self, provider: TokenProvider, on_rejected: Callable[[], None] | None = None
    ) -> None:
        self._provider = provider
        self._on_rejected = on_rejected

    async def authorization(self) -> str | None:
        """Ask the provider."""
        return f"Bearer {await self._provider()}"

    def reject(self) -> None:
        """Tell the provider, which may hold a token of a lost account."""
        if self._on_rejected is not None:
            self._on_rejected()


@dataclass(frozen=True, slots=True)
class Connection:
    """One API server. ``tls_server_name`` and ``proxy`` come from kubeconfigs."""

    server: str
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    credentials: Credentials = field(default_factory=NoToken, repr=False)
    tls_server_name: str | None = None
    # A proxy's URL may hold a password.
    proxy: str | None = field(default=None, repr=False)


def with_token(
    server: str,
    ca_pem: str,
    provider: TokenProvider,
    *,
    on_rejected: Callable[[], None] | None = None,
) -> Connection:
    """Build a connection that uses short-lived tokens of the caller's own."""
    return Connection(
        server=server.rstrip("/"),
        tls=build_tls(ca_pem=ca_pem),
        credentials=ProvidedToken(provider, on_rejected),
    )


def build_tls(
    *, ca_file: str | None = None, ca_pem: str | None = None
) -> ssl.SSLContext:
    """Return a context that verifies a server as Kubernetes' own clients do.

    Since 3.13 Python also wants key identifiers in certificates (RFC 5280), which
    some clusters' lack; chain, time and name are verified with and without.
    """
    context = ssl.create_default_context(cafile=ca_file, cadata=ca_pem)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
