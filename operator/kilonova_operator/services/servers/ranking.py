"""The scheduler over columns that follow the informer and the database.

Amounts are read once, at the start; then what this process claims and releases
is counted at once, and a host whose ComputeHost changed, or whose claim was lost,
is read again. Nothing is read for a request.

Two Servers that are placed at the same moment must not both take the host that
only one of them would take. So a claim counts from its choice on, before the
database has answered (kube-scheduler's assumed pods)::

    select ── no await between ── assumed ──> claim ── refused ──> counts no more
                                                 └── made ──> the host's use as read
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.inventory import ProviderView
from kilonova_operator.domain.placement import (
    Claim,
    ClaimRequest,
    NumaHold,
    Released,
)
from kilonova_operator.domain.scheduling.aggregates import AggregateFacts
from kilonova_operator.domain.scheduling.columns import HostColumns, Number
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.scheduling.facts import HostFacts, build_host_facts
from kilonova_operator.domain.scheduling.host_table import HostVerdict
from kilonova_operator.domain.scheduling.request import BuildRequest
from kilonova_operator.domain.scheduling.scheduler import Scheduler, SchedulingRules
from kilonova_operator.domain.scheduling.shared_rooms import SharedAmounts
from kilonova_operator.services.servers.hosts import HostIndex
from kilonova_operator.services.servers.numa_stock import NumaStock
from kilonova_operator.services.servers.placements import PlacementIndex
from kilonova_operator.services.servers.shared_stock import SharedStock
from kilonova_operator.services.stores import ApiStore

_FRESH_SECONDS = 300.0
"""Everything is read again this often, though nobody else should write."""
_REST_SECONDS = 1.0
"""Hosts that changed are read together, at most this often."""


@dataclass(frozen=True, slots=True)
class _Assumed:
    """A claim that is under way."""

    host: str
    amounts: Mapping[str, int]
    shared: SharedAmounts


class HostRanking:
    """Chooses hosts for guests. It only advises: the database judges the claim."""

    def __init__(
        self,
        *,
        rules: SchedulingRules,
        hosts: HostIndex,
        api: ApiStore,
        clock: Clock,
        random: Random,
        build_facts: Callable[[ComputeHost], HostFacts] = build_host_facts,
    ) -> None:
        self.placements = PlacementIndex()
        self._hosts = hosts
        self._build_facts = build_facts
        self._api = api
        self._clock = clock
        self._columns = HostColumns()
        self._scheduler = Scheduler(rules, self._columns, random=random)
        self._assumed: dict[str, _Assumed] = {}
        """By uid of the Server: one Server is placed once at a time."""
        self._reading = asyncio.Lock()
        self._read_at: float | None = None
        self._all_read_at: float | None = None
        self._stale: set[str] = set()
        self.shared = SharedStock(api, self._columns)
        self.numa = NumaStock(api, self._columns)

    def host_changed(
        self, key: Key, old: ComputeHost | None, new: ComputeHost | None
    ) -> None:
        """Follow a change of a ComputeHost."""
        if new is None:
            self._columns.remove(key.name)
            self.numa.remove_host(key.name)
            self._stale.discard(key.name)
        else:
            self._columns.set_facts(self._build_facts(new))
            self.numa.set_host(new)
            self._stale.add(key.name)

    def load_hosts(self) -> None:
        """Take in every host that is known already."""
        for host in self._hosts.items().values():
            self._columns.set_facts(self._build_facts(host))
            self.numa.set_host(host)

    def facts_changed(self, host: str) -> None:
        """Follow what changed of a host beside its ComputeHost: its aggregates."""
        found = self._hosts.find(Key("", host))
        if found is not None:
            self._columns.set_facts(self._build_facts(found))

    def set_aggregates(self, aggregates: Iterable[AggregateFacts]) -> None:
        """Say which aggregates there are, those without hosts included."""
        self._columns.set_aggregates(aggregates)

    def set_number(self, host: str, name: Number, value: int) -> None:
        """Replace one number of a host, such as the builds under way on it."""
        self._columns.set_number(host, name, value)

    def set_image_counts(
        self, host: str, counts: Mapping[tuple[str, str], int]
    ) -> None:
        """Replace how many guests of a host have an image property's value."""
        if self._columns.find_row(host) is not None:
            self._columns.image_counts.set_host(host, counts)

    def forget(self) -> None:
        """Read everything again before the next choice: others wrote."""
        self._all_read_at = None

    async def load(self) -> None:
        """Read where all Servers are, and all hosts' use."""
        await self.placements.read(self._api)
        await self._read_all()

    async def select(
        self,
        ask: Callable[[], BuildRequest],
        *,
        keeps_hosts: bool = False,
        together: Collection[str] = (),
    ) -> Decision:
        """Choose a host for one guest; nothing is awaited after the choice.

        ask: called right before each look at the hosts, since what is asked may
        depend on where other Servers are. ``keeps_hosts``: the decision shall be
        able to tell of every host. ``together``: uids of Servers whose claims are
        made with this one or not at all; they count in any case.
        """

        def choose() -> Decision:
            return self._scheduler.select(ask(), keeps_hosts=keeps_hosts)

        await self._refresh(rest_seconds=_REST_SECONDS)
        decision = choose()
        if decision.host is not None:
            return decision
        if self._stale:
            # Nobody is turned away on what may be old ...
            await self._refresh(rest_seconds=0.0)
            decision = choose()
        if decision.host is not None or self._assumed.keys() <= set(together):
            return decision
        # ... or by a claim that may yet be refused, or was counted already.
        with self._nothing_assumed(but=together):
            return choose()

    def explain(
        self, request: BuildRequest, *, most: int | None = None
    ) -> list[HostVerdict]:
        """Say of ``most`` hosts, best first, what they failed or how they weigh."""
        return self._scheduler.explain(request, most=most)

    def zone_of(self, host: str) -> str:
        """Return a host's availability zone; empty if it has none."""
        return self._columns.zone_of(host)

    @contextmanager
    def assumed(self, request: ClaimRequest) -> Iterator[None]:
        """Count a claim while it is under way, for those who choose meanwhile.

        If it is made, ``claimed`` comes before the end; else it counts no more.
        """
        host, uid = request.host, request.server.uid
        group = request.group.group_uid if request.group else None
        before = self.placements.find_place(uid)
        self._columns.consume(host, request.amounts)
        self.placements.add(uid, host, group)
        self._assumed[uid] = _Assumed(host, request.amounts, request.shared)
        self.shared.take(request.shared)
        self.numa.assume(uid, host, request.numa)
        try:
            yield
        finally:
            self.shared.stale |= bool(request.shared)
            if self._assumed.pop(uid, None) is not None:
                # A faster claim won, or the outcome is unknown.
                self._columns.give_back(host, request.amounts)
                self.placements.put_back(uid, before)
                self._stale.add(host)
                if request.numa is not None:
                    self.numa.drop(uid)
                    self.numa.stale.add(host)

    def claimed(self, claim: Claim) -> None:
        """Keep an assumed claim: it was made."""
        assumed = self._assumed.pop(claim.server.uid)
        if claim.provider is not None:
            self._columns.settle(claim.host, assumed.amounts, claim.provider.generation)
        else:
            self._stale.add(claim.host)  # it was made before, and repeated
        if claim.numa is not None:
            uid, generation = claim.server.uid, claim.placement_generation
            self.numa.keep(NumaHold(uid, generation, claim.host, claim.numa))

    def given_back(self, released: Released) -> None:
        """Count what was just released."""
        for view in released.providers:
            self._see(view)
        self.shared.stale |= any(held.shared for held in released.given_back)
        for held in released.given_back:
            self.numa.given_back(held)
        if not released.claims_left:
            for held in released.given_back:
                self.placements.remove(held.server_uid)

    @contextmanager
    def _nothing_assumed(self, *, but: Collection[str]) -> Iterator[None]:
        under_way = tuple(c for uid, c in self._assumed.items() if uid not in but)
        for claim in under_way:
            self._columns.give_back(claim.host, claim.amounts)
        try:
            with self.numa.nothing_assumed(but=but):
                yield
        finally:
            for claim in under_way:
                self._columns.consume(claim.host, claim.amounts)

    async def _refresh(self, *, rest_seconds: float) -> None:
        """Read what is old; many that ask at once wait for one reading."""
        if not self._is_due(rest_seconds):
            return
        async with self._reading:
            if self._is_due(rest_seconds):
                await self._read()

    def _is_due(self, rest_seconds: float) -> bool:
        now = self._clock.boottime()
        if self._all_read_at is None or now - self._all_read_at > _FRESH_SECONDS:
            return True
        if self.shared.stale:
            return True
        is_stale = bool(self._stale or self.numa.stale)
        return is_stale and now - (self._read_at or 0.0) >= rest_seconds

    async def _read(self) -> None:
        now = self._clock.boottime()
        stale, self._stale = self._stale, set()
        old = self._all_read_at is None or now - self._all_read_at > _FRESH_SECONDS
        try:
            if self._all_read_at is None:
                await self.load()
            elif old:
                await self._read_all()
            elif stale:
                await self._read_some(stale)
            if old or self.numa.stale:
                await self.numa.read(None if old else frozenset(self.numa.stale))
            if self.shared.stale or old:
                await self.shared.read(
                    lambda: [claim.shared for claim in self._assumed.values()]
                )
        except BaseException:
            self._stale |= stale
            raise
        self._read_at = now
        if old:
            self._all_read_at = now

    async def _read_all(self) -> None:
        for view in await self._api.list_provider_views():
            self._see(view)
        await self._read_cells()

    async def _read_some(self, hosts: Collection[str]) -> None:
        for view in await self._api.list_provider_views(hosts):
            self._see(view)
        await self._read_cells()

    async def _read_cells(self) -> None:
        cells = await self._api.list_cell_mappings()
        self._columns.set_disabled_cells(c.name for c in cells if not c.enabled)

    def _see(self, view: ProviderView) -> None:
        # A provider whose ComputeHost is gone can take nobody.
        if self._columns.find_row(view.host) is None:
            return
        if self._columns.set_provider(view):
            for claim in self._assumed.values():
                if claim.host == view.host:
                    self._columns.consume(claim.host, claim.amounts)
