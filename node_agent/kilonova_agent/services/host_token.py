"""The host's own identity: a short-lived token of the account named as the node.

The pod's account may do nothing but ask for it. While it cannot be had, calls
to the API server fail and guests go on.
"""

import asyncio
import logging
from random import Random

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import KubeError

log = logging.getLogger(__name__)

TOKEN_SECONDS = 3600
_RENEW_AT = 2 / 3
_PAUSES = Backoff(first_seconds=1.0, most_seconds=8.0)


class HostToken:
    """Gives a valid token; asks for a new one at two thirds of its life."""

    def __init__(
        self,
        kube: KubeApi,
        *,
        namespace: str,
        account: str,
        clock: Clock,
        random: Random,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._account = account
        self._clock = clock
        self._random = random
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._asked_at = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._error: KubeError | None = None

    async def get(self) -> str:
        """Give a token; an old one rather than none while it may be valid.

        Raises:
            KubeError: there is none, and none could be had.
        """
        async with self._lock:
            age = self._clock.boottime() - self._asked_at
            if self._token is None or age >= TOKEN_SECONDS * _RENEW_AT:
                await self._renew()
            if self._token is not None:
                return self._token
            if self._error is None:
                raise RuntimeError("no token and no reason for it")
            raise self._error

    def reject(self) -> None:
        """Hear that the server does not take the token."""
        self._token = None

    async def _renew(self) -> None:
        now = self._clock.boottime()
        if now < self._retry_at:
            return
        try:
            issued = await self._kube.create_token(
                self._namespace, self._account, expiration_seconds=TOKEN_SECONDS
            )
        except KubeError as error:
            self._failures += 1
            self._retry_at = now + _PAUSES.delay(self._failures, self._random)
            if self._error is None:
                log.warning("no token for this host: %s", error)
            self._error = error
            return
        self._token, self._asked_at = issued.token, now
        self._failures, self._retry_at, self._error = 0, 0.0, None
