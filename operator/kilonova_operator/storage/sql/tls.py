"""TLS to the database: one context for all connections of an engine.

PyMySQL uses TLS wherever the server offers it, and then reads the system's CA
file anew for each connection: up to 0.2 s of CPU and megabytes, for a context
that verifies nothing. With ``ssl_ca`` in the URL the server is verified.
"""

import ssl
from typing import Any

from pymysql.connections import Connection
from sqlalchemy import Dialect, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry


def share_tls_context(engine: Engine) -> None:
    """Make the engine's connections share their TLS context."""
    contexts: dict[str, ssl.SSLContext] = {}

    class SharingConnection(Connection):
        def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
            key = repr(sslp)
            if key not in contexts:
                contexts[key] = (
                    super()._create_ssl_ctx(sslp)  # type: ignore[misc]
                    if sslp
                    else build_opportunistic()
                )
            return contexts[key]

    @event.listens_for(engine, "do_connect")
    def connect(
        dialect: Dialect,
        record: ConnectionPoolEntry,
        arguments: list[Any],
        options: dict[str, Any],
    ) -> Any:
        del dialect, record
        return SharingConnection(*arguments, **options)


def build_opportunistic() -> ssl.SSLContext:
    """Return a context that encrypts without knowing to whom, as PyMySQL's default.

    It keeps listeners out, not impostors: that takes ``ssl_ca`` in the URL.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
