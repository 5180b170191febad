"""Who this host is to the cluster, and what it says of itself.

Polls its ComputeHost, since an agent may read that one object by name and list
none: the answer tells whether the host's identity is accepted, and is compared
with what the host would say now. Only a difference is written.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from kilonova_agent.domain.host_report import (
    HostFindings,
    HostIdentity,
    Trouble,
    build_report,
    find_unknown,
)
from kilonova_agent.domain.standing import Standing, judge_standing
from kilonova_agent.drivers.base import (
    ComputeDriver,
    DriverUnavailable,
    Guest,
    HostInventory,
)
from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_report import MAX_UNKNOWN_ADDRESSES, AgentReport, MonitorMetric
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import KubeError
from kilonova_api.names import AGENT_FIELD_MANAGER

log = logging.getLogger(__name__)

# Until the host is accepted somebody waits for it.
_IMPATIENT_SECONDS = 1.0
_INVENTORY_SECONDS = 600.0
# A libvirtd that restarts is back by then, and nobody has to hear of it.
_DRIVER_GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the rest of the agent knows of the host."""

    list_known: Callable[[], Iterable[str] | None]
    """Names of the Instances; None while they cannot be known."""
    list_troubles: Callable[[], Iterable[Trouble]]
    read_metrics: Callable[[], Awaitable[tuple[MonitorMetric, ...]]]


class HostWatch:
    """Keeps ``standing`` current, and the host's report."""

    def __init__(
        self,
        kube: KubeApi,
        driver: ComputeDriver,
        facts: HostFacts,
        *,
        node_name: str,
        identity: HostIdentity,
        state_dir: Path,
        poll_seconds: float,
        clock: Clock,
        random: Random,
    ) -> None:
        self._kube = kube
        self._driver = driver
        self._facts = facts
        self._node_name = node_name
        self._identity = identity
        self._state_dir = state_dir
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._random = random
        self._on_standing: Callable[[], None] = lambda: None
        self._hurry = asyncio.Event()
        self._inventory: HostInventory | None = None
        self._inventory_at = float("-inf")
        self._driver_seen_at = clock.boottime()
        self.standing: Standing | None = None
        self.reported = False

    def on_standing(self, handler: Callable[[], None]) -> None:
        """Call ``handler`` when the host's standing changed."""
        self._on_standing = handler

    def hurry(self) -> None:
        """Poll soon: something changed that the report tells."""
        self._hurry.set()

    def forget_inventory(self) -> None:
        """Hear that the hypervisor is another one than before, or was restarted."""
        self._inventory_at = float("-inf")
        self.hurry()

    async def run(self) -> None:
        """Poll until cancelled."""
        failed = False
        while True:
            self._hurry.clear()
            try:
                await self._poll()
                failed = False
            except KubeError as error:
                if not failed:
                    log.warning("ComputeHost %s: %s", self._node_name, error)
                failed = True
            await self._pause()

    async def _pause(self) -> None:
        accepted = self.standing is not None and self.standing.accepted
        patient = accepted and self.reported
        seconds = self._poll_seconds if patient else _IMPATIENT_SECONDS
        seconds = min(seconds, self._poll_seconds) * self._random.uniform(0.8, 1.0)
        timer = asyncio.create_task(self._clock.sleep(seconds))
        news = asyncio.create_task(self._hurry.wait())
        try:
            await asyncio.wait((timer, news), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            news.cancel()
        # News come in crowds; one poll answers them all.
        await self._clock.sleep(min(_IMPATIENT_SECONDS, self._poll_seconds) / 4)

    async def _poll(self) -> None:
        found = await self._kube.get(ComputeHost.resource(), None, self._node_name)
        host = ComputeHost.model_validate(found)
        self._judge(host)
        await self._report(host)

    def _judge(self, host: ComputeHost) -> None:
        standing = judge_standing(
            host, host_id=self._identity.host_id, node_uid=self._identity.node_uid
        )
        if standing != self.standing:
            log.info("this host's standing: %s", standing)
            self.standing = standing
            self._on_standing()

    async def _report(self, host: ComputeHost) -> None:
        findings = await self._gather()
        if findings is None:
            return
        last = host.status.agent
        report = build_report(
            self._identity,
            findings,
            last=last,
            generation=host.metadata.generation,
            now=self._clock.utcnow().replace(microsecond=0),
        )
        if report != last:
            await self._write(host, report)
        self.reported = True

    async def _gather(self) -> HostFindings | None:
        """Gather; None while a report would say less than is true."""
        known = self._facts.list_known()
        unknown: tuple[Guest, ...] | None = None
        addresses: frozenset[str] = frozenset()
        metrics: tuple[MonitorMetric, ...] | None = None
        troubles: tuple[Trouble, ...] = ()
        try:
            await self._read_inventory()
            metrics = await self._facts.read_metrics()
            guests = await self._driver.list_guests()
            if known is not None:
                unknown = find_unknown(guests, known)
                addresses = await self._list_addresses(unknown)
        except DriverUnavailable as error:
            silent = self._clock.boottime() - self._driver_seen_at
            if silent < _DRIVER_GRACE_SECONDS:
                return None
            troubles = (Trouble("HypervisorUnavailable", str(error)),)
        else:
            self._driver_seen_at = self._clock.boottime()
            if known is None:
                return None
        return HostFindings(
            inventory=self._inventory,
            disk_bytes=_read_disk_bytes(self._state_dir),
            unknown=unknown,
            unknown_addresses=addresses,
            metrics=metrics,
            troubles=(*troubles, *self._facts.list_troubles()),
        )

    async def _list_addresses(self, guests: tuple[Guest, ...]) -> frozenset[str]:
        """List what guests hold that no Instance speaks of; usually there are none."""
        uuids = sorted(guest.uuid for guest in guests)[:MAX_UNKNOWN_ADDRESSES]
        return await self._driver.list_addresses(uuids) if uuids else frozenset()

    async def _read_inventory(self) -> None:
        now = self._clock.boottime()
        if self._inventory is None or now - self._inventory_at >= _INVENTORY_SECONDS:
            self._inventory = await self._driver.get_inventory()
            self._inventory_at = now

    async def _write(self, host: ComputeHost, report: AgentReport) -> None:
        await self._kube.apply_existing(
            ComputeHost.resource(),
            {
                "metadata": {"name": self._node_name},
                "status": {"agent": report.wire()},
            },
            uid=host.metadata.uid,
            field_manager=AGENT_FIELD_MANAGER,
            subresource="status",
        )


def _read_disk_bytes(folder: Path) -> int:
    stat = os.statvfs(folder)
    return stat.f_blocks * stat.f_frsize
