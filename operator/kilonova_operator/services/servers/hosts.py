"""Hosts as scheduling and status need them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.placement import HeldClaim
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.scheduling.facts import build_host_facts
from kilonova_operator.domain.scheduling.request import BuildRequest
from kilonova_operator.domain.scheduling.scheduler import Scheduler
from kilonova_operator.services.stores import ApiStore

logger = logging.getLogger(__name__)

_FRESH_SECONDS = 30.0
_REST_SECONDS = 1.0


class HostIndex(Protocol):
    """What is needed of the informer of ComputeHosts."""

    def find(self, key: Key) -> ComputeHost | None:
        """Give the host, None when absent."""
        ...

    def items(self) -> Mapping[Key, ComputeHost]:
        """Give all hosts."""
        ...


@dataclass(frozen=True, slots=True)
class HostDirectory:
    """Where a host stands: its zone, and whether it answers."""

    index: HostIndex

    def zone(self, host: str) -> str | None:
        """Return the availability zone of a host."""
        found = self.index.find(Key("", host))
        return found.status.zone if found else None

    def is_away(self, host: str) -> bool:
        """Tell whether nobody answers for the host: it is down, or gone."""
        found = self.index.find(Key("", host))
        return found is None or found.status.state == "Down"

    def answers(self, host: str) -> bool:
        """Tell whether the host's heartbeat is heard."""
        found = self.index.find(Key("", host))
        return found is not None and found.status.state == "Up"

    def is_down(self, host: str) -> bool:
        """Tell whether the host's heartbeat is not heard any more."""
        found = self.index.find(Key("", host))
        return found is not None and found.status.state == "Down"


class HostRanking:
    """The scheduler over columns that follow the informer and the database.

    Columns only advise: the claim is judged by the database. Amounts are
    read again when a host changed or they are old; what this process claims
    and releases is counted at once.
    """

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        hosts: HostIndex,
        api: ApiStore,
        clock: Clock,
        random: Random,
    ) -> None:
        self._scheduler = scheduler
        self._hosts = hosts
        self._api = api
        self._clock = clock
        self._random = random
        self._columns = HostColumns()
        self._read_at: float | None = None
        self._stale = True

    def host_changed(
        self, key: Key, old: ComputeHost | None, new: ComputeHost | None
    ) -> None:
        """Follow a change of a ComputeHost."""
        self._stale = True
        if new is None:
            self._columns.remove(key.name)
        else:
            self._columns.set_facts(build_host_facts(new))

    def load_hosts(self) -> None:
        """Take in every host that is known already."""
        for host in self._hosts.items().values():
            self._columns.set_facts(build_host_facts(host))

    async def select(self, request: BuildRequest) -> Decision:
        """Rank the hosts for one guest.

        Raises:
            UnsupportedExtraSpec: the flavor asks for what nobody understands.
        """
        now = self._clock.boottime()
        if self._read_at is None or now - self._read_at > self._patience():
            await self._read()
        decision = self._decide(request)
        if decision.hosts or self._read_at == now:
            return decision
        # Nobody is turned away on what may be old.
        await self._read()
        return self._decide(request)

    def _decide(self, request: BuildRequest) -> Decision:
        return self._scheduler.select(self._columns, request, random=self._random)

    def _patience(self) -> float:
        return _REST_SECONDS if self._stale else _FRESH_SECONDS

    def consumed(self, host: str, amounts: Mapping[str, int]) -> None:
        """Count a claim that was just made."""
        self._columns.consume(host, amounts)

    def given_back(self, held: HeldClaim) -> None:
        """Count a claim that was just released."""
        self._columns.give_back(held.host, held.amounts)

    def outdated(self) -> None:
        """Read amounts again before the next decision: one lost a race."""
        self._stale = True

    async def _read(self) -> None:
        self._stale = False
        self._read_at = self._clock.boottime()
        await self._read_amounts()
        cells = await self._api.list_cell_mappings()
        self._columns.set_disabled_cells(c.name for c in cells if not c.enabled)

    async def _read_amounts(self) -> None:
        known = {key.name for key in self._hosts.items()}
        for view in await self._api.list_provider_views():
            # A provider whose ComputeHost is gone can take nobody.
            if view.host in known:
                self._columns.set_provider(view)
