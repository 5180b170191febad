"""The role super of this process: what is started once its Lease is held."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Never

from kilonova_api.kube.errors import KubeError
from kilonova_api.kube.resources import Key
from kilonova_operator.context import ProcessContext
from kilonova_operator.process.background import Rounds
from kilonova_operator.process.health import Health
from kilonova_operator.process.supervisor import Supervisor
from kilonova_operator.services.control.feeds import FeedKind
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.services.crds import CrdCheck
from kilonova_operator.services.hosts.wiring import HostServices, build_host_services
from kilonova_operator.services.store_watch import StoreWatch
from kilonova_operator.settings import API_DATABASE

RESYNC_SECONDS = 600.0
"""Hosts, cells and guards are looked at again this often, unasked."""


@dataclass(frozen=True, slots=True)
class SuperRole:
    """Super's own services; those of Servers are built elsewhere."""

    context: ProcessContext
    hosts: HostServices
    health: Health

    def build_controllers(self) -> Sequence[Controller]:
        """Return the controllers of everything but Servers."""
        return (self.hosts.build_controller(),)

    async def load(self) -> None:
        """Read what the services remember between reconciles."""
        await self.hosts.load()

    def seed(self) -> None:
        """Let everything be looked at once; kopf's first list brings the rest."""
        informers, feeds = self.context.informers, self.context.feeds
        for key, node in informers.nodes.items().items():
            if node.hypervisor:
                feeds.publish(FeedKind.HOSTS, key)
        for key in informers.compute_hosts.items():
            feeds.publish(FeedKind.HOSTS, key)
        for cell in self.context.stores.cells:
            feeds.publish(FeedKind.CELLS, Key("", cell))

    def start_background(self, supervisor: Supervisor, *, store_version: int) -> None:
        """Start what runs beside the queues."""
        context = self.context
        rounds = Rounds(context.clock, context.random)
        supervisor.start(self.hosts.heartbeats.run(), "heartbeats")
        supervisor.start(self._build_store_watch(store_version).run(), "store watch")
        supervisor.start(self._watch_crds(), "CRDs")
        resync = rounds.repeat("resync", self._resync, seconds=RESYNC_SECONDS)
        supervisor.start(resync, "resync")

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
    return SuperRole(context, build_host_services(context), health)
