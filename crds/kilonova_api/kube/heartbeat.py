"""A sign of life: a Lease that its only owner renews and nobody contests.

A heartbeat that fails harms nothing here: it is tried again, for ever, and
whoever reads the Lease judges by its changes.
"""

import logging
from dataclasses import dataclass
from random import Random
from typing import Never

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock, Deadline
from kilonova_api.kube.errors import Conflict, KubeError, NotFound
from kilonova_api.kube.lease_record import LeaseName, build_lease, build_taken
from kilonova_api.kube.resources import LEASE, KubeObject

RETRIES = Backoff(first_seconds=1.0, most_seconds=10.0)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """``duration_seconds`` of silence is what readers take for death."""

    interval_seconds: float = 10.0
    duration_seconds: int = 60


class Heartbeat:
    """Renews a Lease of its own until cancelled."""

    def __init__(
        self,
        kube: KubeApi,
        name: LeaseName,
        *,
        clock: Clock,
        random: Random,
        settings: HeartbeatSettings | None = None,
    ) -> None:
        self._kube = kube
        self._name = name
        self._clock = clock
        self._random = random
        self._settings = settings or HeartbeatSettings()
        self._lease: KubeObject | None = None
        self.last_renewed_at: float | None = None
        self.last_error: KubeError | None = None

    async def run(self) -> Never:
        """Renew every interval, sooner after a failure."""
        failures = 0
        while True:
            try:
                await self.beat()
            except KubeError as error:
                failures += 1
                if self.last_error is None:
                    logger.warning("heartbeat %s: %s", self._name, error)
                self.last_error = error
                pause = RETRIES.delay(failures, self._random)
            else:
                failures, self.last_error = 0, None
                # Agents that started together must not write together for ever.
                pause = self._settings.interval_seconds * self._random.uniform(0.9, 1.0)
            await self._clock.sleep(pause)

    async def beat(self) -> None:
        """Renew once.

        Raises:
            KubeError: it was not renewed.
        """
        asked_at = self._clock.boottime()
        deadline = Deadline.after(self._clock, self._settings.interval_seconds)
        if self._lease is None:
            self._lease = await self._find_or_create(deadline)
        try:
            await self._write(self._lease, deadline)
        except (Conflict, NotFound):  # written by another hand, or deleted
            self._lease = None
            await self._write(await self._find_or_create(deadline), deadline)
        self.last_renewed_at = asked_at

    async def _find_or_create(self, deadline: Deadline) -> KubeObject:
        name = self._name
        found = await self._kube.find(
            LEASE, name.namespace, name.name, deadline=deadline
        )
        if found is not None:
            return found
        body = build_lease(
            name,
            duration_seconds=self._settings.duration_seconds,
            now=self._clock.utcnow(),
        )
        return await self._kube.create(LEASE, body, deadline=deadline)

    async def _write(self, lease: KubeObject, deadline: Deadline) -> None:
        taken = build_taken(
            lease,
            self._name.identity,
            duration_seconds=self._settings.duration_seconds,
            now=self._clock.utcnow(),
        )
        self._lease = await self._kube.replace(LEASE, taken, deadline=deadline)
