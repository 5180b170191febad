"""Puts the parts of a Server's way together, for the process that runs them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from kilonova_api.instance import Instance
from kilonova_api.kube.resources import Key
from kilonova_api.names import CELL0, SUPER_FIELD_MANAGER, cell_field_manager
from kilonova_operator.context import ProcessContext
from kilonova_operator.domain.scheduling.defaults import build_default_scheduler
from kilonova_operator.domain.servers.waiting import Patience
from kilonova_operator.roles import SUPER, cell_role
from kilonova_operator.services.control.feeds import Feed, FeedKind
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.services.informers import BY_CELL, BY_SERVER_UID
from kilonova_operator.services.servers.adopt import Adopter
from kilonova_operator.services.servers.brake import DeletionBrake
from kilonova_operator.services.servers.cell_reconciler import CellReconciler
from kilonova_operator.services.servers.cell_status import CellStatus
from kilonova_operator.services.servers.conclude import Concluder
from kilonova_operator.services.servers.crd_health import CrdHealth
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.former_ends import FormerEnds
from kilonova_operator.services.servers.gather import ReferenceReader
from kilonova_operator.services.servers.guest_ending import GuestEnding
from kilonova_operator.services.servers.guest_proof import GuestProof
from kilonova_operator.services.servers.held_deletions import HeldDeletions
from kilonova_operator.services.servers.history import History
from kilonova_operator.services.servers.hosts import HostDirectory, HostRanking
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.servers.link import Link
from kilonova_operator.services.servers.orders import OrderWriter
from kilonova_operator.services.servers.place import Placer
from kilonova_operator.services.servers.placement_status import PlacementStatus
from kilonova_operator.services.servers.super_reconciler import SuperReconciler
from kilonova_operator.services.servers.sweep import CellSweep, SuperSweep
from kilonova_operator.services.servers.wakes import follow_hosts, follow_servers
from kilonova_operator.settings import API_DATABASE
from kilonova_operator.storage.kubernetes.statuses import StatusWriter

_WORKERS = 8
BY_SERVER_KEY = "server_key"


def build_super_controllers(context: ProcessContext) -> Sequence[Controller]:
    """Build what the role super does for Servers."""
    follow_servers(context)
    reconciler = _build_super(context)
    sweep = SuperSweep(
        api=context.stores.api,
        feeds=context.feeds,
        server_uids=_server_uids(context),
    )
    return (
        Controller(
            "servers",
            reconciler.reconcile,
            (Feed(FeedKind.SERVERS),),
            workers=_WORKERS,
        ),
        Controller("servers-sweep", sweep.reconcile, (Feed(FeedKind.CELLS),), 1),
    )


def build_cell_controllers(context: ProcessContext, cell: str) -> Sequence[Controller]:
    """Build what the role of an in-cluster cell does for Servers."""
    if cell == CELL0:
        return ()
    follow_hosts(context, cell)
    duty = _build_duty(context, cell_role(cell), cell)
    now = build_server_time(context)
    held = HeldDeletions(context.kube, cell, duty, context.clock, now)
    reconciler = _build_cell(context, cell, duty, held)
    sweep = CellSweep(
        cell=cell,
        api=context.stores.api,
        store=context.stores.cells[cell],
        duty=duty,
        held=held,
        feeds=context.feeds,
        instances=lambda: tuple(context.informers.instances.items().values()),
        server_uids=_server_uids(context),
    )
    feed = Feed(FeedKind.SERVERS, cell)
    return (
        Controller(
            f"servers-of-{cell}", reconciler.reconcile, (feed,), workers=_WORKERS
        ),
        Controller(
            f"servers-of-{cell}-sweep", sweep.reconcile, (Feed(FeedKind.CELLS),), 1
        ),
    )


def _build_super(context: ProcessContext) -> SuperReconciler:
    duty = _build_duty(context, SUPER, API_DATABASE)
    instances = _build_view(context)
    hosts = HostDirectory(context.informers.compute_hosts)
    ranking = _build_ranking(context)
    crds = CrdHealth(context.kube)
    now = build_server_time(context)
    statuses = PlacementStatus(
        writer=StatusWriter(context.kube, SUPER_FIELD_MANAGER),
        hosts=hosts,
        feeds=context.feeds,
        now=now,
    )
    return SuperReconciler(
        kube=context.kube,
        api=context.stores.api,
        duty=duty,
        placer=Placer(
            api=context.stores.api,
            duty=duty,
            references=ReferenceReader(context.kube),
            ranking=ranking,
            instances=instances,
            statuses=statuses,
            waiting=context.waiting,
            patience=_build_patience(context),
            now=now,
        ),
        concluder=Concluder(
            kube=context.kube,
            api=context.stores.api,
            cells=context.stores.cells,
            duty=duty,
            crds=crds,
            proof=GuestProof(context.kube, crds),
            instances=instances,
            hosts=hosts,
            ranking=ranking,
            waiting=context.waiting,
            feeds=context.feeds,
        ),
        adopter=Adopter(
            kube=context.kube,
            api=context.stores.api,
            duty=duty,
            instances=instances,
            feeds=context.feeds,
        ),
        statuses=statuses,
        instances=instances,
    )


def _build_cell(
    context: ProcessContext, cell: str, duty: Duty, held: HeldDeletions
) -> CellReconciler:
    api, store = context.stores.api, context.stores.cells[cell]
    instances = _build_view(context)
    hosts = HostDirectory(context.informers.compute_hosts)
    references = ReferenceReader(context.kube)
    now = build_server_time(context)
    orders = OrderWriter(
        kube=context.kube,
        cell=cell,
        store=store,
        duty=duty,
        instances=instances,
        now=now,
    )
    link = Link(
        kube=context.kube,
        api=api,
        store=store,
        duty=duty,
        references=references,
        orders=orders,
        hosts=hosts,
        cluster_uid=context.cluster_uid,
        now=now,
    )
    status = CellStatus(
        cell=cell,
        duty=duty,
        writer=StatusWriter(context.kube, cell_field_manager(cell)),
        hosts=hosts,
        references=references,
        history=History(store, duty, now),
        patience=_build_patience(context),
        now=now,
    )
    proof = GuestProof(context.kube, CrdHealth(context.kube))
    ending = GuestEnding(
        api=api,
        store=store,
        duty=duty,
        orders=orders,
        former=FormerEnds(
            api=api, store=store, duty=duty, orders=orders, proof=proof, now=now
        ),
        link=link,
        proof=proof,
        hosts=hosts,
        brake=DeletionBrake(
            kube=context.kube,
            cell=cell,
            clock=context.clock,
            now=now,
            count_guests=_count_guests(context, cell),
        ),
        held=held,
        status=status,
        feeds=context.feeds,
        now=now,
    )
    return CellReconciler(
        kube=context.kube,
        cell=cell,
        api=api,
        instances=instances,
        instances_of_key=_index_by_key(context),
        link=link,
        ending=ending,
        status=status,
        orders=orders,
    )


def build_server_time(context: ProcessContext) -> Callable[[], datetime]:
    """Return a reader of the API server's time, as far as its answers tell it."""

    def now() -> datetime:
        skew = getattr(context.kube, "clock_skew_seconds", None) or 0.0
        return context.clock.utcnow() - timedelta(seconds=skew)

    return now


def _build_duty(context: ProcessContext, role: str, database: str) -> Duty:
    return Duty(
        check=lambda: context.leadership.check(role),
        check_frozen=context.freeze.check,
        term=lambda: context.leadership.term(database),
    )


def _build_view(context: ProcessContext) -> InstanceView:
    return InstanceView(
        context.informers.instances, context.clock, server_uid_index=BY_SERVER_UID
    )


def _build_patience(context: ProcessContext) -> Patience:
    settings = context.settings
    return Patience(
        reference_seconds=settings.reference_grace_seconds,
        no_valid_host_seconds=settings.no_valid_host_grace_seconds,
    )


def _build_ranking(context: ProcessContext) -> HostRanking:
    ranking = HostRanking(
        scheduler=build_default_scheduler(),
        hosts=context.informers.compute_hosts,
        api=context.stores.api,
        clock=context.clock,
        random=context.random,
    )
    context.informers.compute_hosts.on_change(ranking.host_changed)
    ranking.load_hosts()
    return ranking


def _index_by_key(context: ProcessContext) -> Callable[[Key], Iterable[Instance]]:
    informer = context.informers.instances
    informer.add_index(
        BY_SERVER_KEY,
        lambda i: (Key(i.spec.server.namespace, i.spec.server.name),),
    )
    return lambda key: informer.by_index(BY_SERVER_KEY, key)


def _count_guests(context: ProcessContext, cell: str) -> Callable[[], int]:
    informer = context.informers.instances
    informer.add_index(BY_CELL, lambda instance: (instance.spec.cell,))
    return lambda: len(informer.by_index(BY_CELL, cell))


def _server_uids(context: ProcessContext) -> Callable[[], frozenset[str]]:
    informer = context.informers.servers
    return lambda: frozenset(server.uid for server in informer.items().values())
