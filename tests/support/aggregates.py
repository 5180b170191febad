"""Aggregates and the hosts in them, over objects in memory."""

from typing import Any

from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.kube.resources import NODE
from kilonova_operator.domain.hosts.nodes import build_node_summary
from kilonova_operator.services.aggregates.index import AggregateIndex
from support.clock import FakeClock
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer


class AggregateScene:
    """Hosts, Nodes and aggregates as an admin makes them, and the index of them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = MemoryCluster(self.clock)

    def build_index(self) -> AggregateIndex:
        """Build the index as a process does that starts now."""
        self.aggregates = MemoryInformer(
            self.cluster, "HostAggregate", HostAggregate.model_validate
        )
        self.hosts = MemoryInformer(
            self.cluster, "ComputeHost", ComputeHost.model_validate
        )
        self.nodes = MemoryInformer(self.cluster, "Node", build_node_summary)
        return AggregateIndex(
            aggregates=self.aggregates, hosts=self.hosts, nodes=self.nodes
        )

    def put_host(self, name: str, *, labels: dict[str, str] | None = None) -> None:
        metadata: dict[str, Any] = {"name": name, "labels": labels or {}}
        self.cluster.put(ComputeHost.resource(), {"metadata": metadata, "spec": {}})

    def put_node(self, name: str, *, address: str = "", **labels: str) -> None:
        addresses = [{"type": "InternalIP", "address": address}] if address else []
        prefix = "node-restriction.kubernetes.io/"
        self.cluster.put(
            NODE,
            {
                "metadata": {
                    "name": name,
                    "labels": {prefix + key: value for key, value in labels.items()},
                },
                "status": {"addresses": addresses},
            },
        )

    def put_aggregate(self, name: str, **spec: Any) -> None:
        self.cluster.put(
            HostAggregate.resource(), {"metadata": {"name": name}, "spec": spec}
        )
