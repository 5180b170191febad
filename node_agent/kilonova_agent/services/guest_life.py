"""Carrying out what was decided for a guest that shall live."""

from dataclasses import dataclass, replace

from kilonova_agent.domain.decision import BringUp, Build, Decision, Seen, Stop
from kilonova_agent.domain.orders import OrderRecord, begin
from kilonova_agent.domain.outcome import Outcome
from kilonova_agent.domain.status import report_power, report_stopping
from kilonova_agent.drivers.base import ComputeDriver, Guest, GuestPower
from kilonova_agent.services.build_reports import BuildReports
from kilonova_agent.services.builder import Builder
from kilonova_agent.services.start_pacer import StartPacer
from kilonova_agent.services.stopper import Stopper
from kilonova_agent.storage.order_book import OrderBook
from kilonova_api.instance import Instance
from kilonova_api.kube.clock import Clock


@dataclass(frozen=True, slots=True)
class GuestLife:
    """Builds, starts and stops guests, and remembers how they are."""

    driver: ComputeDriver
    orders: OrderBook
    builder: Builder
    builds: BuildReports
    stopper: Stopper
    pacer: StartPacer
    clock: Clock

    def forget(self, uuid: str) -> None:
        """Hear that the guest's Instance is gone."""
        self.stopper.forget(uuid)

    def end(self, uuid: str) -> None:
        """Hear that the guest is gone."""
        self.forget(uuid)
        self.pacer.forget(uuid)

    def build_record(self, seen: Seen) -> OrderRecord:
        """Build the record of acting on this order, adopting what is there."""
        spec, status = seen.wanted.spec, seen.wanted.status
        record = seen.record.advance(spec) if seen.record else begin(spec)
        is_there = seen.guest is not None or (
            seen.record is None and seen.has_root_disk and status.built_at is not None
        )
        if record.built_at is None and is_there:
            now = self.clock.utcnow().replace(microsecond=0)
            record = replace(record, built_at=status.built_at or now)
        return record

    async def carry_out(
        self, seen: Seen, decision: Decision, record: OrderRecord
    ) -> Outcome:
        """Do the next step.

        Raises:
            ImageDownloading: come again when the image is here.
            ImageFailed: the image cannot be had for now.
            GuestFault: this host cannot do it.
        """
        uuid = seen.wanted.metadata.name
        if not isinstance(decision, Stop):
            self.stopper.forget(uuid)
        match decision:
            case Build(power_on):
                async with self.builds.reporting(seen.wanted, record):
                    record = await self.builder.build_disks(seen.wanted, record)
                    return await self._bring_up(seen, record, power_on=power_on)
            case BringUp(power_on):
                await self.orders.put(uuid, record)
                return await self._bring_up_paced(seen, record, power_on=power_on)
            case Stop():
                await self.orders.put(uuid, record)
                return await self._stop(seen, record)
            case _:
                return await self._follow(seen.wanted, seen.guest, record)

    async def _bring_up_paced(
        self, seen: Seen, record: OrderRecord, *, power_on: bool
    ) -> Outcome:
        uuid = seen.wanted.metadata.name
        left = self.pacer.seconds_left(uuid) if power_on else 0.0
        if left > 0:
            off = seen.guest.power if seen.guest else GuestPower.SHUTDOWN
            return Outcome(report_power(off, wanted_on=True), record, left)
        return await self._bring_up(seen, record, power_on=power_on)

    async def _bring_up(
        self, seen: Seen, record: OrderRecord, *, power_on: bool
    ) -> Outcome:
        uuid = seen.wanted.metadata.name
        await self.builder.bring_up(seen.wanted, power_on=power_on)
        if power_on:
            self.pacer.note_start(uuid)
        guest = await self.driver.find_guest(uuid)
        return await self._follow(seen.wanted, guest, record)

    async def _stop(self, seen: Seen, record: OrderRecord) -> Outcome:
        uuid = seen.wanted.metadata.name
        again_seconds = await self.stopper.stop(uuid)
        guest = await self.driver.find_guest(uuid)
        if guest is None or guest.power.is_off or again_seconds is None:
            return await self._follow(seen.wanted, guest, record)
        return Outcome(report_stopping(guest.power), record, again_seconds)

    async def _follow(
        self, wanted: Instance, guest: Guest | None, record: OrderRecord
    ) -> Outcome:
        """Remember and report the guest as it is."""
        uuid = wanted.metadata.name
        power = guest.power if guest else GuestPower.SHUTDOWN
        if not power.is_off and record.launched_at is None:
            now = self.clock.utcnow().replace(microsecond=0)
            record = replace(record, launched_at=now)
        record = replace(record, off=power.is_off)
        await self.orders.put(uuid, record)
        wanted_on = wanted.spec.power_state == "Running"
        # A guest that went down again already is started by the next look.
        again_seconds = 1.0 if wanted_on and power.is_off else None
        return Outcome(report_power(power, wanted_on=wanted_on), record, again_seconds)
