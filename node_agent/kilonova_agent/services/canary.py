"""Do the policies bite that keep one host from taking another's identity?

The agent asks for the token of an account that nobody may have. Refused is
right. If it is given again and again, every agent can become every host: the
agent says so, and does not ask any more. Given once proves little: an API server
heeds a policy some seconds after it was installed.
"""

import logging
from collections.abc import Callable
from random import Random

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import Forbidden, Invalid, KubeError

log = logging.getLogger(__name__)

_RETRY_SECONDS = 60.0
_DOUBT_SECONDS = 5.0
_TIMES_GIVEN = 13
"""So often in a row, a minute in all, until the policies count as missing."""
_TOKEN_SECONDS = 600


class Canary:
    """Asks at start and at intervals; ``policy_missing`` tells what it heard."""

    def __init__(
        self,
        kube: KubeApi,
        *,
        namespace: str,
        account: str,
        interval_seconds: float,
        clock: Clock,
        random: Random,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._account = account
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._random = random
        self._on_change: Callable[[], None] = lambda: None
        self.policy_missing = False

    def on_change(self, handler: Callable[[], None]) -> None:
        """Call ``handler`` when the policies turn out to be missing."""
        self._on_change = handler

    async def run(self) -> None:
        """Ask until the policies proved to be missing."""
        given = 0
        while given < _TIMES_GIVEN:
            try:
                was_refused = await self._ask()
            except KubeError as error:
                log.info("canary: no verdict: %s", error)
                pause = _RETRY_SECONDS
            else:
                given = 0 if was_refused else given + 1
                pause = self._interval_seconds if was_refused else _DOUBT_SECONDS
            if given < _TIMES_GIVEN:
                await self._clock.sleep(pause * self._random.uniform(0.9, 1.0))
        self.policy_missing = True
        log.error(
            "policies are missing: the token of account %s was given to this agent",
            self._account,
        )
        self._on_change()

    async def _ask(self) -> bool:
        """Tell whether the token was refused by policy."""
        try:
            await self._kube.create_token(
                self._namespace, self._account, expiration_seconds=_TOKEN_SECONDS
            )
        except (Forbidden, Invalid):
            return True
        return False
