"""Hears the hosts' heartbeats and lets time pass for those that are silent."""

import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Never

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import KubeError
from kilonova_api.kube.resources import LEASE, Key
from kilonova_api.names import host_namespace
from kilonova_operator.domain.hosts.heartbeats import HeartbeatJudge, HostState
from kilonova_operator.services.informers import HEARTBEAT_LEASE, Informers

logger = logging.getLogger(__name__)

TICK_SECONDS = 5.0
# Hosts beat every 10 s: when nobody at all was heard for longer, it is as
# likely that our watch is dead, and a list has to tell.
_DELIVERING_SECONDS = 15.0
# A process that slept through several ticks heard nobody meanwhile.
_MOST_SECONDS_A_TICK = 2 * TICK_SECONDS


@dataclass(slots=True)
class HeartbeatMonitor:
    """Keeps the judge's picture current and tells of each change of state."""

    kube: KubeApi
    informers: Informers
    judge: HeartbeatJudge
    clock: Clock
    on_change: Callable[[str], None]
    on_brake: Callable[[str], None]
    """Hears a cell whose hosts began, or ceased, to be silent all at once."""
    _hosts_of_namespace: dict[str, str] = field(default_factory=dict)
    _braked_cells: set[str] = field(default_factory=set)

    def add_host(self, host: str, state: HostState) -> None:
        """Begin to listen for a host; ``state`` is what was said of it last."""
        namespace = host_namespace(host)
        if namespace in self._hosts_of_namespace:
            return
        self._hosts_of_namespace[namespace] = host
        self.judge.remember(host, state)
        version = self.informers.heartbeats.find(Key(namespace, HEARTBEAT_LEASE))
        if version is not None:
            self.judge.hear(host, version)

    def drop_host(self, host: str) -> None:
        """Stop listening for a host that does not exist any more."""
        self._hosts_of_namespace.pop(host_namespace(host), None)
        self.judge.forget(host)

    def hear(self, namespace: str, version: str, *, born: bool = False) -> None:
        """Note a heartbeat Lease as it was seen; ``born``: it was made just now."""
        host = self._hosts_of_namespace.get(namespace)
        if host is not None and self.judge.hear(host, version, born=born):
            self.on_change(host)

    @property
    def braked_cells(self) -> frozenset[str]:
        """Cells in which nobody is called down: too many are silent at once."""
        return frozenset(self._braked_cells)

    async def run(self) -> Never:
        """Judge every few seconds until cancelled."""
        ticked_at = self.clock.boottime()
        while True:
            await self.clock.sleep(TICK_SECONDS)
            now = self.clock.boottime()
            passed, ticked_at = min(now - ticked_at, _MOST_SECONDS_A_TICK), now
            if await self._delivers():
                self.judge.pass_time(passed)
                self._judge()

    def _judge(self) -> None:
        for cell, hosts in self._hosts_by_cell().items():
            for host in self.judge.judge(hosts):
                self.on_change(host)
            self._note_brake(cell, hosts)

    def _note_brake(self, cell: str, hosts: frozenset[str]) -> None:
        braked = self.judge.brakes(hosts)
        if braked == (cell in self._braked_cells):
            return
        self._braked_cells ^= {cell}
        self.on_brake(cell)
        if braked:
            logger.warning(
                "cell %s: too many of its %d hosts are silent at once: none of them "
                "is called down. Look at the network between hosts and API server.",
                cell,
                len(hosts),
            )

    def _hosts_by_cell(self) -> dict[str, frozenset[str]]:
        by_cell: dict[str, set[str]] = {}
        for key, host in self.informers.compute_hosts.items().items():
            by_cell.setdefault(host.status.cell or "", set()).add(key.name)
        return {cell: frozenset(hosts) for cell, hosts in by_cell.items()}

    async def _delivers(self) -> bool:
        """Tell whether a heartbeat would have been heard in the last tick."""
        silent = self.clock.boottime() - self.informers.heartbeats.last_heard_at
        return silent <= _DELIVERING_SECONDS or await self._list()

    async def _list(self) -> bool:
        pages = self.kube.pages(
            LEASE, field_selector=f"metadata.name={HEARTBEAT_LEASE}"
        )
        try:
            async with aclosing(pages):
                async for page in pages:
                    for lease in page.items:
                        version = lease["metadata"]["resourceVersion"]
                        self.hear(Key.of_object(lease).namespace, version)
        except KubeError as error:
            logger.info("heartbeats cannot be heard now: %s", error)
            return False
        return True
