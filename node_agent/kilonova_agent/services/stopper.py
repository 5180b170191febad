"""Stopping guests as Nova does: ask, ask again, in the end cut the power.

``nova.virt.libvirt.driver._clean_shutdown``, Nova 34: 60 s in all, a new signal
every 10 s, since a guest that is still booting does not hear the first one.
"""

from dataclasses import dataclass

from kilonova_agent.drivers.base import ComputeDriver
from kilonova_api.kube.clock import Clock


@dataclass(frozen=True, slots=True)
class _Asked:
    since: float
    last: float


class Stopper:
    """Remembers which guests were asked to stop, and since when."""

    def __init__(
        self,
        driver: ComputeDriver,
        clock: Clock,
        *,
        timeout_seconds: float,
        retry_seconds: float,
    ) -> None:
        self._driver = driver
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._retry_seconds = retry_seconds
        self._asked: dict[str, _Asked] = {}

    async def stop(self, uuid: str) -> float | None:
        """Go on stopping a guest that runs.

        Returns:
            Seconds until it has to be looked at again; None when it is off.
        """
        now = self._clock.boottime()
        asked = self._asked.get(uuid)
        if asked is not None and now - asked.since >= self._timeout_seconds:
            await self._driver.power_off(uuid)
            self.forget(uuid)
            return None
        if asked is None or now - asked.last >= self._retry_seconds:
            await self._driver.request_shutdown(uuid)
            asked = _Asked(since=asked.since if asked else now, last=now)
            self._asked[uuid] = asked
        left = asked.since + self._timeout_seconds - now
        return min(asked.last + self._retry_seconds - now, left)

    def forget(self, uuid: str) -> None:
        """Hear that the guest is off, or shall not stop any more."""
        self._asked.pop(uuid, None)
