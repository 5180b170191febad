"""Puts claims and addresses right after a store went back; then work goes on.

The objects and the hosts are the witnesses. Every Instance says who holds what
on which host; what it says is put back into the API database, the higher
placement generation winning and a tombstone standing. Hosts report what runs
there and nobody knows: it counts as used. Only when every host was heard, or is
down for good, or a person says so, is the freeze lifted.

No answer that a call gives ends the sweep: it begins again after a growing pause.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import KubeError
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.inventory import RESOURCE_CLASSES, Inventory
from kilonova_operator.domain.placement import RestoredClaim, WitnessedClaim
from kilonova_operator.domain.refusals import HostUnmapped
from kilonova_operator.services.control.reconciler import FATAL
from kilonova_operator.services.networks.witnessed_ranges import WitnessedRanges
from kilonova_operator.services.silent_hosts import SilentHosts
from kilonova_operator.services.store_freeze import WENT_BACK, Freeze, Frozen
from kilonova_operator.services.stores import ApiStore, EpochStore
from kilonova_operator.services.witnesses import Witnesses
from kilonova_operator.settings import API_DATABASE

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
BACKOFF = Backoff(1.0, 60.0)
PROBLEM_TOPIC = "store sweep"
NOTHING_KNOWN = {name: Inventory(total=0) for name in RESOURCE_CLASSES}
"""Inventories of a host that has not reported to this database yet."""


@dataclass(frozen=True, slots=True)
class StoreSweep:
    """One sweep over Instances and hosts, for everything that is frozen."""

    stores: dict[str, EpochStore]
    api: ApiStore
    term: Callable[[str], Term]
    witnesses: Witnesses
    freeze: Freeze
    silent_hosts: SilentHosts
    reload_hosts: Callable[[], Awaitable[None]]
    mark_lost: Callable[[], Awaitable[None]]
    on_lifted: Callable[[], Awaitable[None]]
    note_problem: Callable[[str, str | None], None]
    clock: Clock
    random: Random
    settle_seconds: float
    """Agents need 90 s of silence to notice that their watch is of an older store."""

    async def run(self) -> None:
        """Sweep until nothing is frozen; returns at once if nothing is."""
        began_at = self.clock.boottime()
        if self.freeze.frozen:
            await self._until_done(lambda: self._sweep(began_at))
            await self._until_done(self.on_lifted)

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while True:
            try:
                await work()
            except FATAL:
                raise
            except (KubeError, KilonovaError) as error:
                failures += 1
                self.note_problem(PROBLEM_TOPIC, str(error))
                await self.clock.sleep(BACKOFF.delay(failures, self.random))
            else:
                self.note_problem(PROBLEM_TOPIC, None)
                return

    async def _sweep(self, began_at: float) -> None:
        await self.reload_hosts()
        await self._restore_claims()
        await self._wait_for_hosts(began_at)
        # Again: what was ordered before the freeze may have come in meanwhile.
        await self._restore_claims()
        if any(_has_older_rows(frozen) for frozen in self.freeze.all):
            await self.mark_lost()
        await self._repair_usages()
        await self.reload_hosts()
        for frozen in self.freeze.all:
            await self._lift(frozen)

    async def _restore_claims(self) -> None:
        ranges = WitnessedRanges(self.api, lambda: self.term(API_DATABASE))
        for instance, held in await self.witnesses.read_all():
            witness = await ranges.restore(instance, held)
            restored = await self._restore(witness, instance.spec.cell)
            if restored.lost_nics:
                logger.error(
                    "guest %s of Server %s: its addresses %s belong to others now. "
                    "Delete one of the two Servers.",
                    witness.instance_uuid,
                    witness.server,
                    ", ".join(nic.address for nic in restored.lost_nics),
                )

    async def _restore(self, witness: WitnessedClaim, cell: str) -> RestoredClaim:
        term = self.term(API_DATABASE)
        try:
            return await self.api.restore_claim(term, witness)
        except HostUnmapped:
            # It came after the backup was made, and may be silent or gone by now:
            # the Instance is witness of its host's cell too. What the host can
            # give stays unknown until it reports, and then nothing fits there.
            await self.api.ensure_host_mapping(term, witness.host, cell)
            await self.api.set_inventory(term, witness.host, NOTHING_KNOWN)
            return await self.api.restore_claim(term, witness)

    async def _repair_usages(self) -> None:
        """Count the namespaces' quotas anew from the Servers that were put back."""
        for drift in await self.api.repair_usages(self.term(API_DATABASE)):
            logger.warning(
                "usage of namespace uid %s was %s and is %s now",
                drift.namespace_uid,
                drift.kept,
                drift.counted,
            )

    async def _wait_for_hosts(self, began_at: float) -> None:
        while True:
            settled = self.clock.boottime() - began_at >= self.settle_seconds
            if settled and not await self.silent_hosts.find_awaited():
                return
            await self.clock.sleep(LOOK_SECONDS)

    async def _lift(self, frozen: Frozen) -> None:
        await self.stores[frozen.database].unfreeze(self.term(frozen.database))
        self.freeze.lift(frozen.database)
        logger.warning(
            "database %s goes on: all Instances and hosts were looked at",
            frozen.database,
        )


def _has_older_rows(frozen: Frozen) -> bool:
    return frozen.database == API_DATABASE and frozen.reason != WENT_BACK
