"""Puts together what the role of an in-cluster cell does for Servers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.instance import Instance
from kilonova_api.kube.resources import Key
from kilonova_api.names import CELL0, cell_field_manager
from kilonova_operator.context import ProcessContext
from kilonova_operator.roles import cell_role
from kilonova_operator.services.control.feeds import Feed, FeedKind
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.services.control.server_time import build_server_time
from kilonova_operator.services.informers import BY_CELL
from kilonova_operator.services.servers.brake import DeletionBrake
from kilonova_operator.services.servers.cell_reconciler import CellReconciler
from kilonova_operator.services.servers.cell_status import CellStatus
from kilonova_operator.services.servers.crd_health import CrdHealth
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.former_ends import FormerEnds
from kilonova_operator.services.servers.former_hosts import FormerHosts
from kilonova_operator.services.servers.gather import ReferenceReader
from kilonova_operator.services.servers.guest_ending import GuestEnding
from kilonova_operator.services.servers.guest_proof import GuestProof
from kilonova_operator.services.servers.held_deletions import HeldDeletions
from kilonova_operator.services.servers.history import History
from kilonova_operator.services.servers.hosts import HostDirectory
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.servers.link import Link
from kilonova_operator.services.servers.orders import OrderWriter
from kilonova_operator.services.servers.shared_wiring import (
    build_duty,
    build_patience,
    build_view,
    read_server_uids,
)
from kilonova_operator.services.servers.sweep import CellSweep
from kilonova_operator.services.servers.wakes import follow_hosts
from kilonova_operator.services.stores import CellStore
from kilonova_operator.storage.kubernetes.statuses import StatusWriter

_WORKERS = 8
BY_SERVER_KEY = "server_key"


def build_cell_controllers(context: ProcessContext, cell: str) -> Sequence[Controller]:
    """Build what the role of an in-cluster cell does for Servers."""
    if cell == CELL0:
        return ()
    follow_hosts(context, cell)
    wiring = _build_wiring(context, cell)
    reconciler, sweep = wiring.build_reconciler(), wiring.build_sweep()
    name, servers = f"servers-of-{cell}", (Feed(FeedKind.SERVERS, cell),)
    return (
        Controller(name, reconciler.reconcile, servers, workers=_WORKERS),
        Controller(f"{name}-sweep", sweep.reconcile, (Feed(FeedKind.CELLS),), 1),
    )


@dataclass(frozen=True, slots=True)
class _CellWiring:
    """What the parts of one cell share."""

    context: ProcessContext
    cell: str
    store: CellStore
    duty: Duty
    held: HeldDeletions
    instances: InstanceView
    hosts: HostDirectory
    references: ReferenceReader
    now: Callable[[], datetime]

    def build_sweep(self) -> CellSweep:
        """Build what looks at every booking and Instance now and then."""
        context = self.context
        return CellSweep(
            cell=self.cell,
            api=context.stores.api,
            store=self.store,
            duty=self.duty,
            held=self.held,
            feeds=context.feeds,
            instances=lambda: tuple(context.informers.instances.items().values()),
            server_uids=read_server_uids(context),
        )

    def build_reconciler(self) -> CellReconciler:
        """Build the reconciler of the cell's guests."""
        orders = self._build_orders()
        link, status = self._build_link(orders), self._build_status()
        return CellReconciler(
            kube=self.context.kube,
            cell=self.cell,
            api=self.context.stores.api,
            instances=self.instances,
            instances_of_key=_index_by_key(self.context),
            link=link,
            ending=self._build_ending(orders, link, status),
            status=status,
            orders=orders,
        )

    def _build_orders(self) -> OrderWriter:
        return OrderWriter(
            kube=self.context.kube,
            cell=self.cell,
            store=self.store,
            duty=self.duty,
            instances=self.instances,
            now=self.now,
        )

    def _build_link(self, orders: OrderWriter) -> Link:
        return Link(
            kube=self.context.kube,
            api=self.context.stores.api,
            store=self.store,
            duty=self.duty,
            references=self.references,
            orders=orders,
            former=FormerHosts(self.context.stores.api, self.store, self.instances),
            hosts=self.hosts,
            cluster_uid=self.context.cluster_uid,
            now=self.now,
        )

    def _build_status(self) -> CellStatus:
        return CellStatus(
            cell=self.cell,
            duty=self.duty,
            writer=StatusWriter(self.context.kube, cell_field_manager(self.cell)),
            hosts=self.hosts,
            references=self.references,
            history=History(self.store, self.duty, self.now),
            patience=build_patience(self.context),
            now=self.now,
        )

    def _build_ending(
        self, orders: OrderWriter, link: Link, status: CellStatus
    ) -> GuestEnding:
        api = self.context.stores.api
        proof = GuestProof(self.context.kube, CrdHealth(self.context.kube))
        return GuestEnding(
            api=api,
            store=self.store,
            duty=self.duty,
            orders=orders,
            former=FormerEnds(
                api=api,
                store=self.store,
                duty=self.duty,
                orders=orders,
                proof=proof,
                hosts=self.hosts,
                feeds=self.context.feeds,
                now=self.now,
            ),
            link=link,
            proof=proof,
            hosts=self.hosts,
            brake=self._build_brake(),
            held=self.held,
            status=status,
            feeds=self.context.feeds,
            now=self.now,
        )

    def _build_brake(self) -> DeletionBrake:
        return DeletionBrake(
            kube=self.context.kube,
            cell=self.cell,
            clock=self.context.clock,
            now=self.now,
            count_guests=_count_guests(self.context, self.cell),
        )


def _build_wiring(context: ProcessContext, cell: str) -> _CellWiring:
    duty = build_duty(context, cell_role(cell), cell)
    now = build_server_time(context.kube, context.clock).now
    return _CellWiring(
        context=context,
        cell=cell,
        store=context.stores.cells[cell],
        duty=duty,
        held=HeldDeletions(context.kube, cell, duty, context.clock, now),
        instances=build_view(context),
        hosts=HostDirectory(context.informers.compute_hosts),
        references=ReferenceReader(context.kube),
        now=now,
    )


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
