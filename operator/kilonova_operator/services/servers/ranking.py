"""The scheduler over columns that follow the informer and the database.

Two Servers that are placed at the same moment must not both take the host that
only one of them would take. So a claim counts from its choice on, before the
database has answered (kube-scheduler's assumed pods)::

    select ── no await between ── assumed ──> claim ── refused ──> counts no more
                                                 └── made ──> the host's use as read
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.inventory import ProviderView
from kilonova_operator.domain.placement import Claim, Released
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.scheduling.facts import build_host_facts
from kilonova_operator.domain.scheduling.request import BuildRequest
from kilonova_operator.domain.scheduling.scheduler import Scheduler, SchedulingRules
from kilonova_operator.services.servers.hosts import HostIndex
from kilonova_operator.services.stores import ApiStore

_FRESH_SECONDS = 30.0
_REST_SECONDS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Assumed:
    """A claim that is under way; one of each, so compared by identity."""

    host: str
    amounts: Mapping[str, int]


class HostRanking:
    """Ranks hosts for guests.

    Columns only advise: the claim is judged by the database. Amounts are
    read again when a host changed or they are old; what this process claims
    and releases is counted at once.
    """

    def __init__(
        self,
        *,
        rules: SchedulingRules,
        hosts: HostIndex,
        api: ApiStore,
        clock: Clock,
        random: Random,
    ) -> None:
        self._hosts = hosts
        self._api = api
        self._clock = clock
        self._columns = HostColumns()
        self._rules = rules
        self._scheduler = Scheduler(rules, self._columns, random=random)
        self._assumed: set[_Assumed] = set()
        self._reading = asyncio.Lock()
        self._read_at: float | None = None
        self._reads = 0
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

    def check_extra_specs(self, extra_specs: Sequence[str]) -> None:
        """Refuse a flavor that asks for what nobody here understands.

        Raises:
            UnsupportedExtraSpec: it names every such key.
        """
        self._rules.check_extra_specs(extra_specs)

    async def select(self, request: BuildRequest) -> Decision:
        """Choose a host for one guest; nothing is awaited after the choice."""
        reads = self._reads
        if self._is_old():
            await self._read(reads)
        decision = self._scheduler.select(request)
        if decision.host is not None:
            return decision
        # Nobody is turned away on what may be old ...
        await self._read(reads)
        decision = self._scheduler.select(request)
        if decision.host is not None or not self._assumed:
            return decision
        # ... or by a claim that may yet be refused, or was counted already.
        with self._nothing_assumed():
            return self._scheduler.select(request)

    @contextmanager
    def assumed(self, host: str, amounts: Mapping[str, int]) -> Iterator[None]:
        """Count a claim while it is under way, for those who choose meanwhile."""
        claim = _Assumed(host, amounts)
        self._assumed.add(claim)
        self._columns.consume(host, amounts)
        try:
            yield
        except BaseException:
            self._stale = True  # a faster claim won, or the outcome is unknown
            raise
        finally:
            self._assumed.discard(claim)
            self._columns.give_back(host, amounts)

    def claimed(self, claim: Claim) -> None:
        """Count a claim that was just made."""
        if claim.provider is not None:
            self._see(claim.provider)
            return
        self._columns.consume(claim.host, claim.amounts)
        self._stale = True

    def given_back(self, released: Released) -> None:
        """Count what was just released."""
        for view in released.providers:
            self._see(view)

    @contextmanager
    def _nothing_assumed(self) -> Iterator[None]:
        under_way = tuple(self._assumed)
        for claim in under_way:
            self._columns.give_back(claim.host, claim.amounts)
        try:
            yield
        finally:
            for claim in under_way:
                self._columns.consume(claim.host, claim.amounts)

    def _is_old(self) -> bool:
        if self._read_at is None:
            return True
        patience = _REST_SECONDS if self._stale else _FRESH_SECONDS
        return self._clock.boottime() - self._read_at > patience

    async def _read(self, before: int) -> None:
        """Read amounts, unless another did since ``before`` reads were counted."""
        async with self._reading:
            if self._reads > before:
                return
            began_at, self._stale = self._clock.boottime(), False
            try:
                await self._read_all()
            except BaseException:
                self._stale = True
                raise
            self._read_at = began_at
            self._reads += 1

    async def _read_all(self) -> None:
        for view in await self._api.list_provider_views():
            self._see(view)
        cells = await self._api.list_cell_mappings()
        self._columns.set_disabled_cells(c.name for c in cells if not c.enabled)

    def _see(self, view: ProviderView) -> None:
        # A provider whose ComputeHost is gone can take nobody.
        if self._columns.find_row(view.host) is None:
            return
        if self._columns.set_provider(view):
            for claim in self._assumed:
                if claim.host == view.host:
                    self._columns.consume(claim.host, claim.amounts)
