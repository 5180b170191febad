"""Connections as kubeconfigs and pods describe them.

Reading is left to the official client's own loaders, so that every kubeconfig
that works with it (exec plugins, OIDC, certificates inline or in files) works
here. Importing them costs 24 MB: only programs import this module.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config
from kubernetes.aio.config.incluster_config import (
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)
from kubernetes.aio.config.kube_config import KubeConfigLoader

from kilonova_api.kube.clock import Clock
from kilonova_api.kube.connection import (
    TOKEN_REREAD_SECONDS,
    Connection,
    Credentials,
    NoToken,
    TokenFile,
    build_tls,
)

SERVICE_ACCOUNT_FOLDER = Path(SERVICE_TOKEN_FILENAME).parent


class KubeconfigToken:
    """A kubeconfig's token; its loader knows when plugins must run again."""

    def __init__(
        self, loader: KubeConfigLoader, configuration: Configuration, clock: Clock
    ) -> None:
        self._loader = loader
        self._configuration = configuration
        self._clock = clock
        self._loaded_at = clock.boottime()

    async def authorization(self) -> str | None:
        """Give the header, loaded less than a minute ago."""
        now = self._clock.boottime()
        if now - self._loaded_at >= TOKEN_REREAD_SECONDS:
            await self._load()
            self._loaded_at = now
        header: str | None = self._configuration.api_key.get("BearerToken")
        return header

    def reject(self) -> None:
        """Load again before the next attempt."""
        self._loaded_at = float("-inf")

    async def _load(self) -> None:
        try:
            await self._loader.load_and_set(  # type: ignore[no-untyped-call]
                self._configuration
            )
        except ConfigException as error:  # a file is away for a moment
            raise OSError(str(error)) from None


async def load_kubeconfig(
    path: Path, *, clock: Clock, context: str | None = None
) -> Connection:
    """Read a kubeconfig file; ``context`` defaults to its current one."""
    configuration = Configuration()
    loader = await load_kube_config(  # type: ignore[no-untyped-call]
        config_file=str(path),
        context=context,
        client_configuration=configuration,
        persist_config=False,
    )
    credentials: Credentials = NoToken()
    if "BearerToken" in configuration.api_key:
        credentials = KubeconfigToken(loader, configuration, clock)
    return Connection(
        server=configuration.host,
        tls=_build_tls(configuration),
        credentials=credentials,
        tls_server_name=configuration.tls_server_name,
        proxy=configuration.proxy,
    )


def load_in_cluster(
    *,
    clock: Clock,
    folder: Path = SERVICE_ACCOUNT_FOLDER,
    environ: Mapping[str, str] = os.environ,
) -> Connection:
    """Read what a pod is given; its token file is read again every minute."""
    configuration = Configuration()
    loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
        token_filename=str(folder / "token"),
        cert_filename=str(folder / "ca.crt"),
        # The loader's own refresh measures a token's age by the wall clock.
        try_refresh_token=False,
        environ=environ,
    )
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    return Connection(
        server=configuration.host,
        tls=_build_tls(configuration),
        credentials=TokenFile(folder / "token", clock),
    )


def _build_tls(configuration: Configuration) -> ssl.SSLContext | None:
    if not configuration.host.startswith("https:"):
        return None
    context = build_tls(ca_file=configuration.ssl_ca_cert)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context
