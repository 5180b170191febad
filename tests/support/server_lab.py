"""Operator and agents over objects and databases in memory, step by step.

Everything goes through the product's own wiring. Time stands still unless
nothing else can happen. A kill ends one process between two writes; a new one
starts with nothing in memory.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, cast

from kilonova_api.compute_host import ComputeHost
from kilonova_api.flavor import Flavor
from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.image import Image
from kilonova_api.instance import Instance
from kilonova_api.kube.errors import KubeError
from kilonova_api.kube.resources import (
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    SECRET,
    Key,
    KubeObject,
)
from kilonova_api.names import GROUP, host_namespace
from kilonova_api.network import Network
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_api.server_quota import QUOTA_NAME, ServerQuota
from kilonova_api.server_status import Fault
from kilonova_operator.context import ProcessContext, Stores
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.hosts.nodes import NodeSummary, build_node_summary
from kilonova_operator.domain.inventory import Inventory, ProviderView
from kilonova_operator.domain.refusals import StaleTerm
from kilonova_operator.domain.scheduling.defaults import (
    Scheduling,
    build_default_scheduling,
    build_rules,
)
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.services.admin_verbs import AdminVerbs
from kilonova_operator.services.aggregates.index import AggregateIndex
from kilonova_operator.services.control.feeds import FeedKind, Feeds
from kilonova_operator.services.control.reconciler import Controller
from kilonova_operator.services.control.waiting import Waiting
from kilonova_operator.services.informers import (
    BY_GROUP,
    BY_HOST,
    BY_SERVER_UID,
    build_server_summary,
)
from kilonova_operator.services.servers.cell_wiring import build_cell_controllers
from kilonova_operator.services.servers.lost_servers import LostNotes, LostServers
from kilonova_operator.services.servers.shared_wiring import build_lost_servers
from kilonova_operator.services.servers.super_wiring import build_super_controllers
from kilonova_operator.services.servers.unknown_guests import (
    WITH_UNKNOWN_GUESTS,
    index_unknown_guests,
)
from kilonova_operator.services.store_freeze import Freeze
from kilonova_operator.settings import Settings
from support.clock import FakeClock
from support.fake_agent import FakeAgent, FakeHost
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer
from support.memory_stores import MemoryApiStore, MemoryCellStore
from support.servers import (
    NAMESPACE as SHOP,
)
from support.servers import (
    condition,
    flavor_manifest,
    image_manifest,
    network_manifest,
    network_status,
    server_manifest,
)
from support.tap import Killed, Tap, Tapped

CELL = "cell1"
_MOST_STEPS = 400


class Leads:
    """Holds every role; the term is the number of the process."""

    def __init__(self, number: int) -> None:
        self.number = number

    def check(self, role: str) -> None:
        return

    def term(self, database: str) -> Term:
        return Term(database, "d", self.number, "n", "super", f"operator-{self.number}")


@dataclass
class Operator:
    """One process: its queues and timers are gone with it."""

    lab: "ServerLab"
    number: int
    controllers: list[Controller] = field(default_factory=list)
    queue: dict[tuple[int, Key], None] = field(default_factory=dict)
    timers: dict[tuple[int, Key], float] = field(default_factory=dict)
    alarms: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    alive: bool = True
    lost_servers: LostServers = field(init=False)
    admin: AdminVerbs = field(default_factory=AdminVerbs)

    def start(self) -> None:
        lab, feeds = self.lab, Feeds()
        waiting = Waiting(
            lambda key: feeds.publish(FeedKind.SERVERS, key),
            later=self._call_later,
            random=Random(1),
        )
        informers = lab.build_informers()
        context = ProcessContext(
            settings=lab.settings,
            kube=cast("Any", Tapped(lab.cluster, lab.tap, "operator")),
            clock=lab.clock,
            random=Random(1),
            stores=Stores(
                cast("Any", Tapped(lab.api, lab.tap, "operator")),
                {CELL: cast("Any", Tapped(lab.cell, lab.tap, "operator"))},
                {},
            ),
            informers=cast("Any", informers),
            aggregates=AggregateIndex(
                aggregates=informers.host_aggregates,
                hosts=informers.compute_hosts,
                nodes=informers.nodes,
            ),
            feeds=feeds,
            waiting=waiting,
            leadership=cast("Any", Leads(self.number)),
            freeze=lab.freeze,
            lost=lab.lost,
            admin=self.admin,
            cluster_uid="c1",
            scheduling=lab.scheduling,
        )
        self.lost_servers = build_lost_servers(context)
        self.controllers = [
            *build_super_controllers(context),
            *build_cell_controllers(context, CELL),
        ]
        for number, controller in enumerate(self.controllers):
            for feed in controller.feeds:
                feeds.subscribe(feed, partial(self._add, number))
        informers.connect(feeds, waiting)
        for obj in lab.cluster.all("Server"):
            cell = obj.get("status", {}).get("cell")
            feeds.publish(FeedKind.SERVERS, Key.of_object(obj), cell=cell)
        for cell in ("cell0", CELL):
            feeds.publish(FeedKind.CELLS, Key("", cell))

    def _add(self, number: int, key: Key) -> None:
        if self.alive:
            self.queue[number, key] = None

    def _call_later(self, seconds: float, call: Callable[[], None]) -> None:
        self.alarms.append((self.lab.clock.boottime() + seconds, call))

    def fire_timers(self) -> None:
        now, alarms = self.lab.clock.boottime(), self.alarms
        self.alarms = [alarm for alarm in alarms if alarm[0] > now]
        for _, call in (alarm for alarm in alarms if alarm[0] <= now):
            call()
        due = [k for k, at in self.timers.items() if at <= self.lab.clock.boottime()]
        for entry in due:
            del self.timers[entry]
            self.queue[entry] = None

    async def step(self) -> bool:
        """Reconcile one key; False: none is queued."""
        self.fire_timers()
        if not self.queue:
            return False
        entry = next(iter(self.queue))
        del self.queue[entry]
        number, key = entry
        try:
            again = await self.controllers[number].reconcile(key)
        except StaleTerm:
            raise
        except (KubeError, KilonovaError) as error:
            self.lab.errors.append(f"{key}: {error}")
            self.timers[entry] = self.lab.clock.boottime() + 1
        else:
            if again is not None:
                # The longest pause: no test may need what only looking again brings.
                pause = again.most_seconds or again.seconds
                self.timers[entry] = self.lab.clock.boottime() + pause
        return True


@dataclass
class LabInformers:
    """The informers that services of Servers use."""

    servers: MemoryInformer[Any]
    instances: MemoryInformer[Instance]
    compute_hosts: MemoryInformer[ComputeHost]
    host_aggregates: MemoryInformer[HostAggregate]
    server_quotas: MemoryInformer[ServerQuota]
    nodes: MemoryInformer[NodeSummary]
    namespaces: MemoryInformer[str]

    def connect(self, feeds: Feeds, waiting: Waiting) -> None:
        """Tell the feeds of changes, as the process does."""

        def server_changed(key: Key, old: Any, new: Any) -> None:
            feeds.publish(FeedKind.SERVERS, key, cell=(new or old).cell)

        def instance_changed(
            key: Key, old: Instance | None, new: Instance | None
        ) -> None:
            instance = new or old
            assert instance is not None
            ref = instance.spec.server
            feeds.publish(
                FeedKind.SERVERS, Key(ref.namespace, ref.name), cell=instance.spec.cell
            )

        self.servers.on_change(server_changed)
        self.instances.on_change(instance_changed)
        self.compute_hosts.on_change(lambda *_: waiting.capacity_changed())
        self.server_quotas.on_change(lambda *_: waiting.capacity_changed())


class ServerLab:
    """Two hosts of 1 GiB, a flavor of 64 MiB, an image, a network, one user."""

    def __init__(self, *, hosts: Iterable[str] = ("hv1", "hv2")) -> None:
        self.clock = FakeClock()
        self.cluster = MemoryCluster(self.clock)
        self.api = MemoryApiStore(self.clock)
        self.cell = MemoryCellStore(self.clock)
        self.freeze = Freeze()
        self.lost = LostNotes()
        self.settings = Settings()
        self.scheduling = build_default_scheduling()
        self.tap = Tap()
        self.errors: list[str] = []
        self.fault: Callable[[Instance], Fault | None] = lambda instance: None
        self.hosts: dict[str, FakeHost] = {}
        self.silent_hosts: set[str] = set()
        self._agent_queue: dict[tuple[str, str], None] = {}
        self.operator = Operator(self, 0)
        self.kills = 0
        self._make_catalogue()
        for host in hosts:
            self.add_host(host)
        self.cluster.handlers.append(self._agent_hears)

    # The scenery.

    def _make_catalogue(self) -> None:
        for kind in (Server, Instance):
            name = f"{kind.crd.plural}.{GROUP}"
            self.cluster.put(CUSTOM_RESOURCE_DEFINITION, {"metadata": {"name": name}})
        self.cluster.put(NAMESPACE, {"metadata": {"name": SHOP}})
        self.cluster.put(Flavor.resource(), flavor_manifest())
        self.cluster.put(Image.resource(), image_manifest())
        self.cluster.put(
            Network.resource(), network_manifest() | {"status": network_status()}
        )

    def add_host(
        self,
        name: str,
        *,
        memory_mib: int = 1024,
        cells: Sequence[dict[str, Any]] = (),
        cpu: dict[str, str] | None = None,
    ) -> None:
        """Add a host that is up, with room for 16 guests of the flavor.

        With ``cells`` it reports those, of which an admin set apart ``cpu``.
        """
        self.hosts.setdefault(name, FakeHost(name))
        self.cluster.put(NAMESPACE, {"metadata": {"name": host_namespace(name)}})
        self.set_room(name, memory_mib)
        agent = {
            "hostId": "00000000-0000-4000-8000-000000000001",
            "agentVersion": "0.1.0",
            "virtType": "qemu",
            "cpu": {"arch": "x86_64", "cores": 8},
            "numaCells": list(cells),
        }
        self.cluster.put(
            ComputeHost.resource(),
            {
                "metadata": {"name": name},
                "spec": {"cpu": cpu or {}},
                "status": {
                    "state": "Up",
                    "scheduling": "Enabled",
                    "cell": CELL,
                    "zone": "az1",
                    "agent": agent,
                    "conditions": [condition("Ready", "True", "Ready")],
                },
            },
        )

    def set_room(self, host: str, memory_mib: int) -> None:
        """Say what a host has."""
        known = self.api.views.get(host)
        inventory = {
            "VCPU": Inventory(total=8, max_unit=8, allocation_ratio=4.0),
            "PCPU": Inventory(total=16, max_unit=16),
            "MEMORY_MB": Inventory(total=memory_mib, max_unit=memory_mib),
            "DISK_GB": Inventory(total=100, max_unit=100),
        }
        generation = known.generation + 1 if known else 1
        self.api.views[host] = ProviderView(host, CELL, generation, inventory)

    def set_host_state(self, host: str, state: str) -> None:
        """Call a host up or down; one that is down has a silent agent."""
        obj = self.cluster.objects["ComputeHost", Key("", host)]
        self.cluster.put(
            ComputeHost.resource(),
            {"metadata": {"name": host}, "status": obj["status"] | {"state": state}},
        )
        if state == "Up":
            self.silent_hosts.discard(host)
            for instance in self.cluster.all("Instance"):
                self._agent_hears("Instance", None, instance)
        else:
            self.silent_hosts.add(host)

    def report(self, instance: Instance, **status: Any) -> None:
        """Let an agent say these things of a guest."""
        meta = instance.metadata
        obj = self.cluster.objects["Instance", Key.of(meta.namespace, meta.name)]
        metadata = {"name": meta.name, "namespace": meta.namespace}
        self.cluster.put(
            Instance.resource(),
            {"metadata": metadata, "status": obj["status"] | status},
        )

    def lose_namespace(self, host: str) -> None:
        """Let a careless hand delete a host's namespace; its agent stays."""
        namespace = host_namespace(host)
        for kind, key in list(self.cluster.objects):
            if key.namespace == namespace and (kind, key) in self.cluster.objects:
                self.cluster.vanish(kind, key)
        self.cluster.vanish("Namespace", Key("", namespace))

    # What a user does and sees.

    def create_group(self, name: str = "db", **spec: Any) -> None:
        metadata = {"name": name, "namespace": SHOP}
        body = {"metadata": metadata, "spec": {"policy": "AntiAffinity"} | spec}
        self.cluster.put(ServerGroup.resource(), body)

    def set_quota(self, **spec: Any) -> None:
        metadata = {"name": QUOTA_NAME, "namespace": SHOP}
        self.cluster.put(ServerQuota.resource(), {"metadata": metadata, "spec": spec})

    def create_server(self, name: str = "web-0", **spec: Any) -> Key:
        self.cluster.put(Server.resource(), server_manifest(name, **spec))
        return Key(SHOP, name)

    def change_server(self, key: Key, **spec: Any) -> None:
        known = self.cluster.objects["Server", key]["spec"]
        body = {"metadata": {"name": key.name, "namespace": key.namespace}}
        self.cluster.put(Server.resource(), body | {"spec": known | spec})

    def annotate(self, kind: Any, key: Key, name: str, value: str) -> None:
        obj = self.cluster.objects[kind.__name__, key]
        metadata = {"name": key.name, "annotations": {name: value}}
        if key.namespace:
            metadata["namespace"] = key.namespace
        known = obj["metadata"].get("annotations", {})
        metadata["annotations"] = known | {name: value}
        self.cluster.put(
            kind.resource(), {"metadata": metadata, "spec": obj.get("spec", {})}
        )

    def delete_server(self, key: Key) -> None:
        self.cluster.delete_now("Server", key)

    def server(self, key: Key) -> Server:
        return Server.model_validate(self.cluster.objects["Server", key])

    def find_server(self, key: Key) -> KubeObject | None:
        return self.cluster.objects.get(("Server", key))

    def instances(self) -> list[Instance]:
        return [Instance.model_validate(o) for o in self.cluster.all("Instance")]

    @property
    def domains(self) -> dict[tuple[str, str], bool]:
        """Every guest on every host, and whether it runs."""
        return {
            (host.name, name): domain.running
            for host in self.hosts.values()
            for name, domain in host.domains.items()
        }

    @property
    def secrets(self) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.cluster.all(SECRET.kind)]

    def build_informers(self) -> LabInformers:
        informers = LabInformers(
            servers=MemoryInformer(self.cluster, "Server", build_server_summary),
            instances=MemoryInformer(self.cluster, "Instance", Instance.model_validate),
            compute_hosts=MemoryInformer(
                self.cluster, "ComputeHost", ComputeHost.model_validate
            ),
            host_aggregates=MemoryInformer(
                self.cluster, "HostAggregate", HostAggregate.model_validate
            ),
            server_quotas=MemoryInformer(
                self.cluster, "ServerQuota", ServerQuota.model_validate
            ),
            nodes=MemoryInformer(self.cluster, "Node", build_node_summary),
            namespaces=MemoryInformer(
                self.cluster, "Namespace", lambda obj: str(obj["metadata"]["uid"])
            ),
        )
        informers.servers.add_index(BY_GROUP, lambda s: (s.group,) if s.group else ())
        informers.instances.add_index(BY_SERVER_UID, lambda i: (i.spec.server.uid,))
        informers.instances.add_index(BY_HOST, lambda i: (i.spec.host,))
        informers.compute_hosts.add_index(WITH_UNKNOWN_GUESTS, index_unknown_guests)
        return informers

    # Time.

    async def run(self, *, seconds: float = 0) -> None:
        """Let everything happen that can, within that time from now."""
        ends_at = self.clock.boottime() + seconds
        if not self.operator.controllers:
            self.restart_operator()
        for _ in range(_MOST_STEPS):
            if await self._step():
                continue
            timers = self.operator.timers.values()
            alarms = (at for at, _ in self.operator.alarms)
            due = min((*timers, *alarms), default=ends_at + 1)
            if due > ends_at:
                await self.clock.advance(ends_at - self.clock.boottime())
                return
            await self.clock.advance(max(0.0, due - self.clock.boottime()))
        raise AssertionError(
            f"no rest after {_MOST_STEPS} steps: {self.cluster.writes[-20:]}, "
            f"{self.errors[-5:]}"
        )

    async def step(self) -> bool:
        """Do the next thing that can be done; False: there is none."""
        if not self.operator.controllers:
            self.restart_operator()
        return await self._step()

    async def _step(self) -> bool:
        try:
            return await self.operator.step() or await self._step_agent()
        except Killed as killed:
            self.kills += 1
            if killed.actor == "operator":
                self.restart_operator()
            else:
                self._restart_agents()
            return True

    def restart_operator(self, options: SchedulingOptions | None = None) -> None:
        """Start a process with a newer term and nothing in memory."""
        if options is not None:
            self.scheduling = Scheduling(options, build_rules(options))
        self.operator.alive = False
        self.operator = Operator(self, self.operator.number + 1)
        self.operator.start()

    def _restart_agents(self) -> None:
        for instance in self.cluster.all("Instance"):
            self._agent_hears("Instance", None, instance)

    def _agent_hears(
        self, kind: str, old: KubeObject | None, new: KubeObject | None
    ) -> None:
        if kind == "Instance" and new is not None:
            entry = (new["spec"]["host"], new["metadata"]["name"])
            self._agent_queue[entry] = None
        if kind == "Secret" and new is not None:
            self._restart_agents()

    async def _step_agent(self) -> bool:
        for host, name in list(self._agent_queue):
            if host in self.silent_hosts:
                continue
            del self._agent_queue[host, name]
            kube = cast("Any", Tapped(self.cluster, self.tap, "agent"))
            agent = FakeAgent(self.hosts[host], kube, self.fault)
            await agent.reconcile(name)
            return True
        return False
