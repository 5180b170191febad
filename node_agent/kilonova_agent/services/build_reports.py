"""What is said of a build that is not over yet, and when it is tried again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from kilonova_agent.domain.faults import SecretNotFound
from kilonova_agent.domain.orders import OrderRecord
from kilonova_agent.domain.outcome import Outcome
from kilonova_agent.domain.status import report_building, report_fault
from kilonova_agent.services.status_writer import StatusWriter
from kilonova_api.instance import Instance
from kilonova_api.kube.clock import Clock

# A Secret follows its Instance within moments, or something is wrong.
SECRET_GRACE_SECONDS = 60.0
SECRET_RETRY_SECONDS = 0.5
SECRET_RETRY_MOST_SECONDS = 10.0


class BuildReports:
    """Remembers since when guests are worked on.

    Most builds are over before anybody could read that they run: nothing is
    said of one before ``after_seconds``.
    """

    def __init__(
        self, statuses: StatusWriter, clock: Clock, *, after_seconds: float
    ) -> None:
        self._statuses = statuses
        self._clock = clock
        self._after_seconds = after_seconds
        self._began_at: dict[str, float] = {}
        self._failed: dict[str, tuple[str, int, float]] = {}

    def begin(self, uuid: str) -> None:
        """Note that the guest is worked on, unless that is known."""
        self._began_at.setdefault(uuid, self._clock.boottime())

    def end(self, uuid: str) -> None:
        """Hear that there is nothing to be waited for any more."""
        self._began_at.pop(uuid, None)

    def forget(self, uuid: str) -> None:
        """Hear that the guest's Instance is gone."""
        self.end(uuid)
        self._failed.pop(uuid, None)

    def note_fault(self, wanted: Instance, *, pause_seconds: float) -> None:
        """Note that this order could not be carried out."""
        meta, ends_at = wanted.metadata, self._clock.boottime() + pause_seconds
        self._failed[meta.name] = (meta.uid, meta.generation, ends_at)

    def pause_left(self, wanted: Instance) -> float:
        """Tell how long an order that failed is not to be tried again.

        The hypervisor tells of a failed start like of any other change: without
        a pause each attempt would lead to the next one.
        """
        meta = wanted.metadata
        uid, generation, ends_at = self._failed.get(meta.name, ("", 0, 0.0))
        if (uid, generation) != (meta.uid, meta.generation):
            return 0.0
        return max(0.0, ends_at - self._clock.boottime())

    def seconds_left(self, uuid: str) -> float:
        """Tell for how long nothing is said of the build yet; 0 or less: say it."""
        return self._after_seconds - self._passed(uuid)

    def build_secret_outcome(
        self, wanted: Instance, fault: SecretNotFound, record: OrderRecord
    ) -> Outcome:
        """Build the outcome of a Secret that is not there: wait, then complain."""
        said = self._statuses.get_last(wanted).fault
        if said is not None and said.reason == fault.reason:
            return Outcome(report_fault(fault), record, SECRET_RETRY_MOST_SECONDS)
        passed = self._passed(wanted.metadata.name)
        # Soon at first, then less and less often.
        pause = min(max(SECRET_RETRY_SECONDS, passed / 4), SECRET_RETRY_MOST_SECONDS)
        if passed < SECRET_GRACE_SECONDS:
            report = report_building("waiting", "WaitingForSecret", fault.message)
        else:
            report = report_fault(fault)
        return Outcome(report, record, pause)

    @contextlib.asynccontextmanager
    async def reporting(
        self, wanted: Instance, record: OrderRecord
    ) -> AsyncIterator[None]:
        """Say BUILD if the body takes so long that a person wonders.

        Not of an order that failed before: its fault stands until it is cured.
        """

        async def report_later() -> None:
            await self._clock.sleep(self._after_seconds)
            if self._has_failed(wanted):
                return
            await self._statuses.write(wanted, report_building("spawning"), record)

        task = asyncio.create_task(report_later())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _has_failed(self, wanted: Instance) -> bool:
        last = self._statuses.get_last(wanted)
        is_of_this = last.observed_generation == wanted.metadata.generation
        return is_of_this and last.fault is not None

    def _passed(self, uuid: str) -> float:
        now = self._clock.boottime()
        return now - self._began_at.get(uuid, now)
