"""One process's reconciler of hosts, over objects in memory."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.instance import Instance
from kilonova_api.kube.resources import NODE, Key
from kilonova_api.names import (
    HYPERVISOR_LABEL,
    SUPER_FIELD_MANAGER,
    ZONE_LABEL,
    host_namespace,
)
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.hosts.host_inventory import InventoryPolicy
from kilonova_operator.domain.hosts.nodes import build_node_summary, build_pod_summary
from kilonova_operator.services.aggregates.index import AggregateIndex
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.hosts.capacity import HostCapacity
from kilonova_operator.services.hosts.cells import CellOfHost
from kilonova_operator.services.hosts.reconciler import HostReconciler
from kilonova_operator.services.hosts.wiring import AGENT_FIELD
from kilonova_operator.services.informers import BY_HOST, BY_NODE
from kilonova_operator.storage.kubernetes.statuses import StatusWriter
from support.clock import FakeClock
from support.fake_stores import FakeApiStore, FakeDatabase
from support.instances import make_instance
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer

HOST_ID = "11111111-1111-4111-8111-111111111111"
TERM = Term("api", "db-1", 1, "nonce", "super", "me")


class HostStage:
    """A host of 8 processors and 16 GiB that reports and beats."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = MemoryCluster(self.clock)
        self.store = FakeApiStore(FakeDatabase("api", term=1))
        self.woken = 0
        self.heartbeat = "Up"
        self.put_node()
        self.put_host()
        self.restart()

    def restart(self) -> None:
        """Begin as a process that remembers nothing."""
        kube: Any = self.cluster
        store: Any = self.store
        informers: Any = self._build_informers()
        self.aggregates = AggregateIndex(
            aggregates=informers.host_aggregates,
            hosts=informers.compute_hosts,
            nodes=informers.nodes,
        )
        self.capacity = HostCapacity(
            store=store,
            term=lambda: TERM,
            informers=informers,
            policy=InventoryPolicy(),
            on_more_room=self._wake,
        )
        self.reconciler = HostReconciler(
            kube=kube,
            informers=informers,
            aggregates=self.aggregates,
            registrar=cast("Any", _Registrar()),
            heartbeats=cast("Any", _Heartbeats(self)),
            cells=CellOfHost(store, lambda: TERM, ("cell1",), "cell1"),
            capacity=self.capacity,
            statuses=StatusWriter(kube, SUPER_FIELD_MANAGER, AGENT_FIELD),
            pacer=CountPacer(self.clock, 30.0),
            clock=self.clock,
        )

    def _build_informers(self) -> Any:
        informers = SimpleNamespace(
            compute_hosts=MemoryInformer(
                self.cluster, "ComputeHost", ComputeHost.model_validate
            ),
            host_aggregates=MemoryInformer(
                self.cluster, "HostAggregate", HostAggregate.model_validate
            ),
            nodes=MemoryInformer(self.cluster, "Node", build_node_summary),
            pods=MemoryInformer(self.cluster, "Pod", build_pod_summary),
            instances=MemoryInformer(self.cluster, "Instance", Instance.model_validate),
        )
        informers.pods.add_index(BY_NODE, lambda pod: (pod.node,))
        informers.instances.add_index(BY_HOST, lambda i: (i.spec.host,))
        return informers

    def _wake(self) -> None:
        self.woken += 1

    def put_node(self, *, zone: str | None = None) -> None:
        """Say what the Node is."""
        labels = {HYPERVISOR_LABEL: "true"} | ({ZONE_LABEL: zone} if zone else {})
        self.cluster.put(
            NODE, {"metadata": {"name": "hv1", "labels": labels}, "spec": {}}
        )

    def put_host(self, *, cells: Sequence[dict[str, Any]] = (), **spec: Any) -> None:
        """Say what an admin wants of the host, and which NUMA cells it reports."""
        node = self.cluster.objects["Node", Key("", "hv1")]
        report = {
            "hostId": HOST_ID,
            "nodeUid": node["metadata"]["uid"],
            "agentVersion": "0.1.0",
            "cpu": {"arch": "x86_64", "cores": 8},
            "memoryMiB": 16384,
            "diskGiB": 100,
            "numaCells": list(cells),
        }
        self.cluster.put(
            ComputeHost.resource(),
            {"metadata": {"name": "hv1"}, "spec": spec, "status": {"agent": report}},
        )

    def put_instance(self, **spec: Any) -> None:
        """Let the host hold a guest."""
        instance = make_instance(host="hv1", name="guest")
        self.cluster.put(
            Instance.resource(), instance | {"spec": instance["spec"] | spec}
        )

    def end_instance(self) -> None:
        """Let the host be empty again."""
        self.cluster.vanish("Instance", Key(host_namespace("hv1"), "guest"))

    def put_zone(self, zone: str, *hosts: str) -> None:
        """Make an aggregate of that name that is an availability zone."""
        self.cluster.put(
            HostAggregate.resource(),
            {
                "metadata": {"name": zone},
                "spec": {"hosts": list(hosts), "availabilityZone": zone},
            },
        )

    async def reconcile(self) -> RetryAfter | None:
        """Bring the host up to date."""
        return await self.reconciler.reconcile(Key("", "hv1"))

    @property
    def host(self) -> ComputeHost:
        """The host as it is shown."""
        found = self.cluster.objects["ComputeHost", Key("", "hv1")]
        return ComputeHost.model_validate(found)

    def said(self, type_: str) -> tuple[str, str] | None:
        """Return reason and message of a condition."""
        found = self.host.status.condition(type_)
        return None if found is None else (found.reason, found.message)


class _Registrar:
    async def ensure(self, host: str) -> None:
        return

    async def ensure_compute_host(self, host: str) -> bool:
        return False


class _Heartbeats:
    def __init__(self, stage: HostStage) -> None:
        self._stage = stage
        self.judge = self

    def add_host(self, host: str, state: str) -> None:
        return

    def state(self, host: str) -> str:
        return self._stage.heartbeat
