"""The role super of this process: what is started once its Lease is held."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Never

from kilonova_api.kube.errors import KubeError
from kilonova_api.kube.resources import Key
from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_operator.context import ProcessContext
from kilonova_operator.handlers.events import WATCHED
from kilonova_operator.process.background import Rounds
from kilonova_operator.process.health import Health
from kilonova_operator.process.retention import Retention
from kilonova_operator.process.supervisor import Supervisor
from kilonova_operator.services.aggregates.wiring import (
    AggregateServices,
    build_aggregate_services,
)
from kilonova_operator.services.catalogue.wiring import build_catalogue_controllers
from kilonova_operator.services.cells import CellReconciler
from kilonova_operator.services.control.feeds import Feed, FeedKind
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.services.control.server_time import (
    ServerTime,
    build_server_time,
)
from kilonova_operator.services.crds import CrdCheck
from kilonova_operator.services.groups.wiring import build_group_controllers
from kilonova_operator.services.guards import GUARD_KEY, NamespaceGuard
from kilonova_operator.services.hosts.wiring import HostServices, build_host_services
from kilonova_operator.services.networks.wiring import build_network_controllers
from kilonova_operator.services.quotas.wiring import build_quota_controller
from kilonova_operator.services.servers.shared_wiring import build_lost_servers
from kilonova_operator.services.silent_hosts import SilentHosts
from kilonova_operator.services.store_sweep import StoreSweep
from kilonova_operator.services.store_watch import StoreWatch
from kilonova_operator.services.witnesses import Witnesses
from kilonova_operator.settings import API_DATABASE
from kilonova_operator.storage.kubernetes.statuses import StatusWriter

RESYNC_SECONDS = 600.0
"""Hosts, cells and guards are looked at again this often, unasked."""
RETENTION_SECONDS = 6 * 3600.0
CLOCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class SuperRole:
    """Super's own services; those of Servers are built elsewhere."""

    context: ProcessContext
    hosts: HostServices
    aggregates: AggregateServices
    health: Health

    def build_controllers(self) -> Sequence[Controller]:
        """Return the controllers of everything but Servers."""
        cells, guard = self._build_cells(), self._build_guard()
        return (
            self.hosts.build_controller(),
            Controller("cells", cells.reconcile, (Feed(FeedKind.CELLS),), 1),
            Controller(
                "guards", guard.reconcile, (Feed(FeedKind.GUARDED_NAMESPACES),), 1
            ),
            *build_catalogue_controllers(self.context),
            *build_network_controllers(self.context),
            *self.aggregates.build_controllers(),
            *build_group_controllers(self.context),
            build_quota_controller(self.context),
        )

    async def load(self) -> None:
        """Read what the services remember between reconciles."""
        self.aggregates.shared.forget()
        await self.hosts.load()

    def seed(self) -> None:
        """Let everything be looked at that kopf's first list does not bring."""
        informers, feeds = self.context.informers, self.context.feeds
        for key, node in informers.nodes.items().items():
            if node.hypervisor:
                feeds.publish(FeedKind.HOSTS, key)
        for key in informers.compute_hosts.items():
            feeds.publish(FeedKind.HOSTS, key)
        for key in informers.host_aggregates.items():
            feeds.publish(FeedKind.AGGREGATES, key)
        for key in informers.server_quotas.items():
            feeds.publish(FeedKind.QUOTAS, key)
        for cell in self.context.stores.cells:
            feeds.publish(FeedKind.CELLS, Key("", cell))
        feeds.publish(FeedKind.GUARDED_NAMESPACES, GUARD_KEY)

    def start_sweep(self, supervisor: Supervisor) -> None:
        """Start what puts right whatever is frozen; it ends by itself."""
        supervisor.start(self._build_sweep().run(), "store sweep")

    async def look_at_everything(self) -> None:
        """Let everything be looked at as after a start."""
        self.seed()
        self.context.waiting.capacity_changed()
        for kind, model in WATCHED.items():
            pages = self.context.kube.pages(model.resource())
            async for page in pages:
                for obj in page.items:
                    cell = obj.get("status", {}).get("cell")
                    key = Key.of_object(obj)
                    self.context.feeds.publish(kind, key, cell=cell)

    def start_background(self, supervisor: Supervisor, *, store_version: int) -> None:
        """Start what runs beside the queues."""
        context = self.context
        rounds = Rounds(context.clock, context.random)
        supervisor.start(self.hosts.heartbeats.run(), "heartbeats")
        supervisor.start(self._build_store_watch(store_version).run(), "store watch")
        self.start_sweep(supervisor)
        supervisor.start(self._watch_crds(), "CRDs")
        resync = rounds.repeat("resync", self._resync, seconds=RESYNC_SECONDS)
        supervisor.start(resync, "resync")
        clock = rounds.repeat("clock", self._note_skew, seconds=CLOCK_SECONDS)
        supervisor.start(clock, "clock")
        retention = Retention(
            context.stores, context.leadership, context.settings, self._time
        )
        supervisor.start(
            rounds.repeat("retention", retention.run_once, seconds=RETENTION_SECONDS),
            "retention",
        )

    def _build_cells(self) -> CellReconciler:
        context = self.context
        return CellReconciler(
            kube=context.kube,
            stores=context.stores,
            term=lambda: context.leadership.term(API_DATABASE),
            informers=context.informers,
            freeze=context.freeze,
            lost=context.lost,
            braked_cells=lambda: self.hosts.heartbeats.braked_cells,
            statuses=StatusWriter(context.kube, SUPER_FIELD_MANAGER),
            pacer=CountPacer(context.clock, context.settings.count_interval_seconds),
            clock=context.clock,
            on_enabled=context.waiting.capacity_changed,
        )

    def _build_guard(self) -> NamespaceGuard:
        context = self.context
        return NamespaceGuard(
            context.kube, context.informers, context.settings.namespace, context.clock
        )

    def _build_sweep(self) -> StoreSweep:
        context = self.context
        return StoreSweep(
            stores=dict(context.stores.all()),
            api=context.stores.api,
            term=context.leadership.term,
            witnesses=Witnesses(context.kube, context.informers),
            freeze=context.freeze,
            silent_hosts=SilentHosts(
                kube=context.kube,
                hosts=context.informers.compute_hosts,
                freeze=context.freeze,
                feeds=context.feeds,
                clock=context.clock,
                note_problem=self.health.note,
            ),
            reload_hosts=self._reload_hosts,
            mark_lost=build_lost_servers(context).mark,
            on_lifted=self.look_at_everything,
            note_problem=self.health.note,
            clock=context.clock,
            random=context.random,
            settle_seconds=context.settings.sweep_settle_seconds,
        )

    def _build_store_watch(self, version: int) -> StoreWatch:
        context = self.context
        return StoreWatch(
            kube=context.kube,
            notes=context.stores.api,
            term=lambda: context.leadership.term(API_DATABASE),
            clock=context.clock,
            interval_seconds=context.settings.store_check_seconds,
            on_problem=lambda problem: self.health.note("store watch", problem),
            highest=version,
        )

    @property
    def _time(self) -> ServerTime:
        return build_server_time(self.context.kube, self.context.clock)

    async def _note_skew(self) -> None:
        self.health.note("clock", self._time.find_skew())

    async def _reload_hosts(self) -> None:
        await self.load()
        self.seed()

    async def _watch_crds(self) -> Never:
        """End the process when the CRDs no longer fit: it starts again read-only."""
        context = self.context
        while True:
            await context.clock.sleep(context.settings.crd_check_seconds)
            try:
                await CrdCheck(context.kube).check()
            except KubeError as error:
                self.health.note("CRDs", str(error))
            else:
                self.health.note("CRDs", None)

    async def _resync(self) -> None:
        self.hosts.registrar.look_again()
        self.seed()


def build_super_role(context: ProcessContext, health: Health) -> SuperRole:
    """Build super's services."""
    hosts, aggregates = build_host_services(context), build_aggregate_services(context)
    return SuperRole(context, hosts, aggregates, health)
