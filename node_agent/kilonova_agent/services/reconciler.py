"""One guest, from what is wanted and what is to one step and one status.

Level-triggered: every call reads all anew, decides once (``domain.decision``),
acts, and reports. It may be killed anywhere; the next call sees what is left.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from kilonova_agent.domain.decision import (
    BringUp,
    Build,
    Decision,
    Destroy,
    Hold,
    Seen,
    Stop,
    decide,
)
from kilonova_agent.domain.faults import GuestFault, SecretNotFound
from kilonova_agent.domain.orders import OrderRecord, begin
from kilonova_agent.domain.standing import Standing
from kilonova_agent.domain.status import (
    Report,
    report_building,
    report_fault,
    report_hold,
    report_power,
    report_stopping,
)
from kilonova_agent.drivers.base import (
    ComputeDriver,
    Guest,
    GuestIsNewer,
    GuestPower,
)
from kilonova_agent.services.builder import Builder
from kilonova_agent.services.destroyer import Destroyer
from kilonova_agent.services.start_pacer import StartPacer
from kilonova_agent.services.status_writer import StatusWriter
from kilonova_agent.services.stopper import Stopper
from kilonova_agent.storage.guest_files import GuestStore
from kilonova_agent.storage.images.cache import ImageDownloading, ImageFailed
from kilonova_agent.storage.order_book import OrderBook
from kilonova_api.instance import Instance
from kilonova_api.kube.clock import Clock

log = logging.getLogger(__name__)

# A fault is looked at again; most are cured by something that gives no event.
FAULT_RETRY_SECONDS = 60.0
# A Secret follows its Instance within moments, or something is wrong.
SECRET_GRACE_SECONDS = 60.0
SECRET_RETRY_SECONDS = 0.5
SECRET_RETRY_MOST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a reconcile asks and tells outside of its own guest."""

    find_instance: Callable[[str], Instance | None]
    find_standing: Callable[[], Standing | None]
    look_again: Callable[[str, float], None]
    agent_version: str
    build_report_after_seconds: float


@dataclass(frozen=True, slots=True)
class _Outcome:
    report: Report
    record: OrderRecord | None
    again_seconds: float | None = None


class Reconciler:
    """Makes guests what their Instances order."""

    def __init__(
        self,
        around: Surroundings,
        *,
        driver: ComputeDriver,
        orders: OrderBook,
        store: GuestStore,
        builder: Builder,
        destroyer: Destroyer,
        stopper: Stopper,
        pacer: StartPacer,
        statuses: StatusWriter,
        clock: Clock,
    ) -> None:
        self._around = around
        self._driver = driver
        self._orders = orders
        self._store = store
        self._builder = builder
        self._destroyer = destroyer
        self._stopper = stopper
        self._pacer = pacer
        self._statuses = statuses
        self._clock = clock
        self._began_at: dict[str, float] = {}
        self._ended: dict[str, str] = {}

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
        else:
            await self._live(seen, decision)

    def forget(self, uuid: str) -> None:
        """Hear that the Instance is gone; the guest, if there is one, goes on."""
        self._began_at.pop(uuid, None)
        self._ended.pop(uuid, None)
        self._stopper.forget(uuid)
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
        self._pacer.forget(uuid)
        self._ended[uuid] = seen.wanted.metadata.uid

    async def _live(self, seen: Seen, decision: Decision) -> None:
        wanted, uuid = seen.wanted, seen.wanted.metadata.name
        record = self._build_record(seen)
        began_at = self._began_at.setdefault(uuid, self._clock.boottime())
        try:
            outcome = await self._act(seen, decision, record)
        except ImageDownloading:
            outcome = _Outcome(report_building("downloading"), record)
        except ImageFailed as failed:
            report = report_fault(failed.fault)
            outcome = _Outcome(report, record, failed.retry_seconds)
        except SecretNotFound as fault:
            outcome = self._wait_for_secret(wanted, fault, record, began_at)
        except GuestFault as fault:
            log.warning("%s: %s: %s", wanted.key, fault.reason, fault.message)
            report = report_fault(fault)
            outcome = _Outcome(report, self._orders.find(uuid), FAULT_RETRY_SECONDS)
        await self._conclude(wanted, outcome, began_at)

    async def _conclude(
        self, wanted: Instance, outcome: _Outcome, began_at: float
    ) -> None:
        uuid = wanted.metadata.name
        if outcome.again_seconds is not None:
            self._around.look_again(uuid, outcome.again_seconds)
        if outcome.report.state == "BUILD":
            # Most builds are over before anybody could read that they run.
            passed = self._clock.boottime() - began_at
            left = self._around.build_report_after_seconds - passed
            if left > 0:
                self._around.look_again(uuid, left)
                return
        else:
            self._began_at.pop(uuid, None)
        await self._statuses.write(wanted, outcome.report, outcome.record)

    async def _act(
        self, seen: Seen, decision: Decision, record: OrderRecord
    ) -> _Outcome:
        uuid = seen.wanted.metadata.name
        if not isinstance(decision, Stop):
            self._stopper.forget(uuid)
        match decision:
            case Build(power_on):
                async with self._reporting_long_build(seen.wanted, record):
                    record = await self._builder.build_disks(seen.wanted, record)
                    return await self._bring_up(seen, record, power_on=power_on)
            case BringUp(power_on):
                await self._orders.put(uuid, record)
                return await self._bring_up_paced(seen, record, power_on=power_on)
            case Stop():
                await self._orders.put(uuid, record)
                return await self._stop(seen, record)
            case _:
                return await self._follow(seen.wanted, seen.guest, record)

    async def _bring_up_paced(
        self, seen: Seen, record: OrderRecord, *, power_on: bool
    ) -> _Outcome:
        uuid = seen.wanted.metadata.name
        left = self._pacer.seconds_left(uuid) if power_on else 0.0
        if left > 0:
            off = seen.guest.power if seen.guest else GuestPower.SHUTDOWN
            return _Outcome(report_power(off, wanted_on=True), record, left)
        return await self._bring_up(seen, record, power_on=power_on)

    async def _bring_up(
        self, seen: Seen, record: OrderRecord, *, power_on: bool
    ) -> _Outcome:
        uuid = seen.wanted.metadata.name
        await self._builder.bring_up(seen.wanted, power_on=power_on)
        if power_on:
            self._pacer.note_start(uuid)
        guest = await self._driver.find_guest(uuid)
        return await self._follow(seen.wanted, guest, record)

    async def _stop(self, seen: Seen, record: OrderRecord) -> _Outcome:
        uuid = seen.wanted.metadata.name
        again_seconds = await self._stopper.stop(uuid)
        guest = await self._driver.find_guest(uuid)
        if guest is None or guest.power.is_off or again_seconds is None:
            return await self._follow(seen.wanted, guest, record)
        return _Outcome(report_stopping(guest.power), record, again_seconds)

    async def _follow(
        self, wanted: Instance, guest: Guest | None, record: OrderRecord
    ) -> _Outcome:
        """Remember and report the guest as it is."""
        uuid = wanted.metadata.name
        power = guest.power if guest else GuestPower.SHUTDOWN
        if not power.is_off and record.launched_at is None:
            now = self._clock.utcnow().replace(microsecond=0)
            record = replace(record, launched_at=now)
        record = replace(record, off=power.is_off)
        await self._orders.put(uuid, record)
        wanted_on = wanted.spec.power_state == "Running"
        # A guest that went down again already is started by the next look.
        again_seconds = 1.0 if wanted_on and power.is_off else None
        return _Outcome(report_power(power, wanted_on=wanted_on), record, again_seconds)

    def _build_record(self, seen: Seen) -> OrderRecord:
        """Build the record of acting on this order, adopting what is there."""
        spec, status = seen.wanted.spec, seen.wanted.status
        record = seen.record.advance(spec) if seen.record else begin(spec)
        is_there = seen.guest is not None or (
            seen.record is None and seen.has_root_disk and status.built_at is not None
        )
        if record.built_at is None and is_there:
            now = self._clock.utcnow().replace(microsecond=0)
            record = replace(record, built_at=status.built_at or now)
        return record

    def _wait_for_secret(
        self,
        wanted: Instance,
        fault: SecretNotFound,
        record: OrderRecord,
        began_at: float,
    ) -> _Outcome:
        passed = self._clock.boottime() - began_at
        said = self._statuses.get_last(wanted).fault
        if said is not None and said.reason == fault.reason:
            return _Outcome(report_fault(fault), record, SECRET_RETRY_MOST_SECONDS)
        # Soon at first, then less and less often.
        pause = min(max(SECRET_RETRY_SECONDS, passed / 4), SECRET_RETRY_MOST_SECONDS)
        if passed < SECRET_GRACE_SECONDS:
            report = report_building("waiting", "WaitingForSecret", fault.message)
        else:
            report = report_fault(fault)
        return _Outcome(report, record, pause)

    @contextlib.asynccontextmanager
    async def _reporting_long_build(
        self, wanted: Instance, record: OrderRecord
    ) -> AsyncIterator[None]:
        """Say BUILD if the body takes so long that a person wonders."""

        async def report_later() -> None:
            await self._clock.sleep(self._around.build_report_after_seconds)
            await self._statuses.write(wanted, report_building("spawning"), record)

        task = asyncio.create_task(report_later())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
