"""Puts the services around hosts together."""

from dataclasses import dataclass

from kilonova_api.kube.resources import Key
from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_operator.context import ProcessContext
from kilonova_operator.domain.hosts.heartbeats import HeartbeatJudge, HeartbeatSettings
from kilonova_operator.domain.hosts.host_inventory import InventoryPolicy
from kilonova_operator.services.control.feeds import Feed, FeedKind
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.services.hosts.capacity import HostCapacity
from kilonova_operator.services.hosts.cells import CellOfHost
from kilonova_operator.services.hosts.heartbeats import HeartbeatMonitor
from kilonova_operator.services.hosts.reconciler import HostReconciler
from kilonova_operator.services.hosts.registration import HostRegistrar, RightsPolicy
from kilonova_operator.settings import API_DATABASE, Settings
from kilonova_operator.storage.kubernetes.statuses import StatusWriter

AGENT_FIELD = frozenset({"agent"})
"""The part of a ComputeHost's status that its agent writes."""


@dataclass(frozen=True, slots=True)
class HostServices:
    """The services around hosts, as other services use them."""

    reconciler: HostReconciler
    heartbeats: HeartbeatMonitor
    registrar: HostRegistrar
    cells: CellOfHost
    capacity: HostCapacity

    async def load(self) -> None:
        """Read from the API database what is known of hosts, and forget the rest."""
        await self.cells.load()
        self.capacity.forget()

    def build_controller(self) -> Controller:
        """Return the controller of hosts."""
        return Controller("hosts", self.reconciler.reconcile, (Feed(FeedKind.HOSTS),))


def build_host_services(context: ProcessContext) -> HostServices:
    """Build them; they work once the role super is held."""
    settings, informers = context.settings, context.informers
    registrar = HostRegistrar(context.kube, informers, build_rights(settings))
    heartbeats = HeartbeatMonitor(
        kube=context.kube,
        informers=informers,
        judge=HeartbeatJudge(build_heartbeat_settings(settings)),
        clock=context.clock,
        on_change=lambda host: context.feeds.publish(FeedKind.HOSTS, Key("", host)),
        on_brake=lambda cell: context.feeds.publish(FeedKind.CELLS, Key("", cell)),
    )
    cells = CellOfHost(
        store=context.stores.api,
        term=lambda: context.leadership.term(API_DATABASE),
        cells=settings.cells,
        default_cell=settings.default_cell,
    )
    capacity = HostCapacity(
        store=context.stores.api,
        term=lambda: context.leadership.term(API_DATABASE),
        informers=informers,
        policy=build_inventory_policy(settings),
        on_more_room=context.waiting.capacity_changed,
    )
    reconciler = HostReconciler(
        kube=context.kube,
        informers=informers,
        aggregates=context.aggregates,
        registrar=registrar,
        heartbeats=heartbeats,
        cells=cells,
        capacity=capacity,
        statuses=StatusWriter(context.kube, SUPER_FIELD_MANAGER, AGENT_FIELD),
        pacer=CountPacer(context.clock, settings.count_interval_seconds),
        clock=context.clock,
    )
    return HostServices(reconciler, heartbeats, registrar, cells, capacity)


def build_rights(settings: Settings) -> RightsPolicy:
    """Return who is bound to what in a host's namespace."""
    return RightsPolicy(
        agent_role=settings.host_cluster_role,
        conductor_role=settings.conductor_cluster_role,
        conductor_account=(settings.namespace, settings.service_account),
    )


def build_heartbeat_settings(settings: Settings) -> HeartbeatSettings:
    """Return when silence means down."""
    return HeartbeatSettings(settings.host_down_seconds, settings.silent_hosts_percent)


def build_inventory_policy(settings: Settings) -> InventoryPolicy:
    """Return what is reserved and how far is oversold."""
    return InventoryPolicy(
        reserved_cpus=settings.reserved_host_cpus,
        reserved_memory_mib=settings.reserved_host_memory_mib,
        reserved_disk_gib=settings.reserved_host_disk_gib,
        cpu_ratio=settings.cpu_allocation_ratio,
        ram_ratio=settings.ram_allocation_ratio,
        disk_ratio=settings.disk_allocation_ratio,
    )
