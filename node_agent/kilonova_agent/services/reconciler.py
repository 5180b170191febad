"""One guest, from what is wanted and what is to one step and one status.

Level-triggered: every call reads all anew, decides once (``domain.decision``),
acts, and reports. It may be killed anywhere; the next call sees what is left.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kilonova_agent.domain.decision import (
    BringUp,
    Build,
    Decision,
    Destroy,
    Hold,
    Seen,
    decide,
    is_first_start,
)
from kilonova_agent.domain.faults import GuestFault, SecretNotFound
from kilonova_agent.domain.orders import OrderRecord
from kilonova_agent.domain.outcome import Outcome
from kilonova_agent.domain.standing import Standing
from kilonova_agent.domain.status import (
    report_building,
    report_fault,
    report_hold,
    with_power,
)
from kilonova_agent.drivers.base import ComputeDriver, GuestIsNewer
from kilonova_agent.services.build_reports import BuildReports
from kilonova_agent.services.destroyer import Destroyer
from kilonova_agent.services.guest_life import GuestLife
from kilonova_agent.services.status_writer import StatusWriter
from kilonova_agent.storage.guest_files import GuestStore
from kilonova_agent.storage.images.cache import ImageDownloading, ImageFailed
from kilonova_agent.storage.order_book import OrderBook
from kilonova_api.instance import Instance

log = logging.getLogger(__name__)

# A fault is looked at again; most are cured by something that gives no event.
FAULT_RETRY_SECONDS = 60.0
_NEWS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a reconcile asks and tells outside of its own guest."""

    find_instance: Callable[[str], Instance | None]
    find_standing: Callable[[], Standing | None]
    is_current: Callable[[Instance], Awaitable[bool]]
    look_again: Callable[[str, float], None]
    agent_version: str


class Reconciler:
    """Makes guests what their Instances order."""

    def __init__(
        self,
        around: Surroundings,
        *,
        driver: ComputeDriver,
        orders: OrderBook,
        store: GuestStore,
        life: GuestLife,
        destroyer: Destroyer,
        builds: BuildReports,
        statuses: StatusWriter,
    ) -> None:
        self._around = around
        self._driver = driver
        self._orders = orders
        self._store = store
        self._life = life
        self._destroyer = destroyer
        self._builds = builds
        self._statuses = statuses
        self._ended: dict[str, str] = {}
        self._untold: dict[str, Outcome] = {}

    async def reconcile(self, uuid: str) -> None:
        """Look at one guest and do the next step."""
        try:
            await self._look(uuid)
        finally:
            # It may have vanished meanwhile, and what was noted since stays for ever.
            if self._around.find_instance(uuid) is None:
                self.forget(uuid)

    async def _look(self, uuid: str) -> None:
        wanted = self._around.find_instance(uuid)
        standing = self._around.find_standing()
        # What is not there orders nothing, and neither does a host unknown yet.
        if wanted is None or standing is None:
            return
        if self._ended.get(uuid) == wanted.metadata.uid:
            return  # deleted by us; the informer has not heard of it yet
        seen = await self._gather(wanted, standing)
        decision = decide(seen)
        if isinstance(decision, Hold):
            await self._hold(seen, decision)
        elif isinstance(decision, Destroy):
            await self._destroy(seen, decision)
        elif isinstance(decision, Build | BringUp) and self._pauses(wanted):
            await self._tell_untold(wanted)
        elif is_first_start(seen, decision) and not await self._is_still_ours(wanted):
            log.info("%s: its order has changed; the news are waited for", wanted.key)
        else:
            await self._live(seen, decision)

    def _pauses(self, wanted: Instance) -> bool:
        left = self._builds.pause_left(wanted)
        if left > 0:
            self._around.look_again(wanted.metadata.name, left)
        return left > 0

    async def _tell_untold(self, wanted: Instance) -> None:
        """Tell of a failure that could not be told when it came."""
        outcome = self._untold.get(wanted.metadata.name)
        if outcome is not None:
            await self._conclude(wanted, outcome)

    async def _is_still_ours(self, wanted: Instance) -> bool:
        """Tell whether the build was not given to another host meanwhile."""
        if not await self._around.is_current(wanted):
            return False
        if await self._statuses.take_back(wanted):
            return True
        # The change may have been nothing that wakes us.
        self._around.look_again(wanted.metadata.name, _NEWS_SECONDS)
        return False

    def forget(self, uuid: str) -> None:
        """Hear that the Instance is gone; the guest, if there is one, goes on."""
        self._builds.forget(uuid)
        self._ended.pop(uuid, None)
        self._untold.pop(uuid, None)
        self._life.forget(uuid)
        self._statuses.forget(uuid)

    async def _gather(self, wanted: Instance, standing: Standing) -> Seen:
        uuid = wanted.metadata.name
        root = self._store.of(uuid).root
        return Seen(
            wanted=wanted,
            guest=await self._driver.find_guest(uuid),
            record=self._orders.find(uuid),
            has_root_disk=await asyncio.to_thread(root.exists),
            standing=standing,
            frozen_writer=self._orders.frozen_writer,
            agent_version=self._around.agent_version,
        )

    async def _hold(self, seen: Seen, hold: Hold) -> None:
        if hold.silent:
            return
        log.warning("%s: %s: %s", seen.wanted.key, hold.reason, hold.message)
        report = report_hold(
            hold.reason,
            hold.message,
            last=self._statuses.get_last(seen.wanted),
            power=seen.guest.power if seen.guest else None,
        )
        await self._statuses.write(seen.wanted, report, seen.record)

    async def _destroy(self, seen: Seen, decision: Destroy) -> None:
        uuid = seen.wanted.metadata.name
        try:
            await self._destroyer.destroy(
                seen.wanted, up_to_generation=decision.up_to_generation
            )
        except GuestIsNewer as newer:
            await self._hold(seen, Hold("OrderFromThePast", str(newer)))
            return
        except GuestFault as fault:
            # The order stands, and no other host can carry it out.
            await self._hold(seen, Hold(fault.reason, fault.message))
            self._around.look_again(uuid, FAULT_RETRY_SECONDS)
            return
        log.info("%s: destroyed on order", seen.wanted.key)
        self.forget(uuid)
        self._life.end(uuid)
        self._ended[uuid] = seen.wanted.metadata.uid

    async def _live(self, seen: Seen, decision: Decision) -> None:
        record = self._life.build_record(seen)
        self._builds.begin(seen.wanted.metadata.name)
        outcome = await self._act(seen, decision, record)
        await self._conclude(seen.wanted, outcome)

    async def _act(
        self, seen: Seen, decision: Decision, record: OrderRecord
    ) -> Outcome:
        """Act; what goes wrong is an outcome too."""
        wanted = seen.wanted
        try:
            return await self._life.carry_out(seen, decision, record)
        except ImageDownloading:
            return Outcome(report_building("downloading"), record)
        except ImageFailed as failed:
            return Outcome(report_fault(failed.fault), record, failed.retry_seconds)
        except SecretNotFound as fault:
            return self._builds.build_secret_outcome(wanted, fault, record)
        except GuestFault as fault:
            log.warning("%s: %s: %s", wanted.key, fault.reason, fault.message)
            self._builds.note_fault(wanted, pause_seconds=FAULT_RETRY_SECONDS)
            known = self._orders.find(wanted.metadata.name)
            return Outcome(report_fault(fault), known, FAULT_RETRY_SECONDS)

    async def _conclude(self, wanted: Instance, outcome: Outcome) -> None:
        uuid = wanted.metadata.name
        if outcome.again_seconds is not None:
            self._around.look_again(uuid, outcome.again_seconds)
        if outcome.report.state == "BUILD":
            left = self._builds.seconds_left(uuid)
            if left > 0:
                self._around.look_again(uuid, left)
                return
        else:
            self._builds.end(uuid)
        report = outcome.report
        if report.fault is not None:
            self._untold[uuid] = outcome
            # Not from what failed: a hypervisor may end in the middle of a start.
            report = with_power(report, await self._driver.find_guest(uuid))
        await self._statuses.write(wanted, report, outcome.record)
        self._untold.pop(uuid, None)
