"""The informers of the operator: what is read often and watched anyway.

Hosts, aggregates, quotas, Instances, heartbeats and Nodes are read at every
decision. Servers, which are many, are kept as summaries of a few words; Pods
likewise.
Everything else is read by GET when it is needed.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, fields
from random import Random
from typing import Any, TypeVar

from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.instance import Instance
from kilonova_api.kube.api import Lister
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.informer import Informer
from kilonova_api.kube.resources import (
    LEASE,
    NAMESPACE,
    NODE,
    POD,
    SERVICE_ACCOUNT,
    Key,
    KubeObject,
    Resource,
)
from kilonova_api.names import GROUP, HOST_NAMESPACE_LABEL, HOSTS_NAMESPACE
from kilonova_api.network import Network
from kilonova_api.server import Server
from kilonova_api.server_quota import ServerQuota
from kilonova_operator.domain.hosts.nodes import (
    NodeSummary,
    PodSummary,
    build_node_summary,
    build_pod_summary,
)
from kilonova_operator.services.control.waiting import Reference
from kilonova_operator.services.servers.unknown_guests import (
    WITH_UNKNOWN_GUESTS,
    index_unknown_guests,
)

HEARTBEAT_LEASE = "heartbeat"
"""Name of a host's Lease in the host's namespace."""
BY_SERVER_UID = "server_uid"
BY_HOST = "host"
BY_NODE = "node"
BY_CELL = "cell"
BY_GROUP = "group"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServerSummary:
    """What is kept of every Server."""

    namespace: str
    name: str
    uid: str
    generation: int
    cell: str | None
    host: str | None
    deleting: bool
    networks: frozenset[Reference]
    """What its NICs are plugged into."""
    zone: str | None = None
    group: Key | None = None
    """The ServerGroup it names."""


@dataclass(frozen=True, slots=True)
class Informers:
    """All informers; each is run by the process and current once synced."""

    servers: Informer[ServerSummary]
    instances: Informer[Instance]
    compute_hosts: Informer[ComputeHost]
    host_aggregates: Informer[HostAggregate]
    server_quotas: Informer[ServerQuota]
    nodes: Informer[NodeSummary]
    pods: Informer[PodSummary]
    heartbeats: Informer[str]
    """Lease versions; the key's namespace is the host's."""
    namespaces: Informer[str]
    """uids of all namespaces."""
    host_namespaces: Informer[str]
    """uids of the namespaces of hosts."""
    host_accounts: Informer[str]
    """uids of the hosts' ServiceAccounts."""

    def all(self) -> tuple[Informer[Any], ...]:
        """Return every informer."""
        return tuple(getattr(self, field.name) for field in fields(self))


def build_informers(
    source: Lister, *, clock: Clock, random: Random, floor: int = 0
) -> Informers:
    """Build all informers. ``floor``: the version of our kinds as it was read.

    It says nothing of kinds of other groups: an API server may keep Leases or
    Pods in an etcd of their own, whose versions are far lower.
    """

    def informer(
        resource: Resource, parse: Callable[[KubeObject], T], **scope: Any
    ) -> Informer[T]:
        least = floor if resource.group == GROUP else 0
        return Informer(
            source, resource, parse, clock=clock, random=random, floor=least, **scope
        )

    informers = Informers(
        servers=informer(Server.resource(), build_server_summary),
        instances=informer(Instance.resource(), Instance.model_validate),
        compute_hosts=informer(ComputeHost.resource(), ComputeHost.model_validate),
        host_aggregates=informer(
            HostAggregate.resource(), HostAggregate.model_validate
        ),
        server_quotas=informer(ServerQuota.resource(), ServerQuota.model_validate),
        nodes=informer(NODE, build_node_summary),
        pods=informer(
            POD,
            build_pod_summary,
            field_selector="status.phase!=Succeeded,status.phase!=Failed",
        ),
        heartbeats=informer(
            LEASE, _version, field_selector=f"metadata.name={HEARTBEAT_LEASE}"
        ),
        namespaces=informer(NAMESPACE, _uid),
        host_namespaces=informer(NAMESPACE, _uid, label_selector=HOST_NAMESPACE_LABEL),
        host_accounts=informer(SERVICE_ACCOUNT, _uid, namespace=HOSTS_NAMESPACE),
    )
    _add_indexes(informers)
    return informers


def build_server_summary(obj: KubeObject) -> ServerSummary:
    """Return what is kept of a Server."""
    metadata, status = obj["metadata"], obj.get("status", {})
    nics = obj["spec"].get("networks", ())
    group = obj["spec"].get("serverGroupRef")
    return ServerSummary(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        cell=status.get("cell"),
        host=status.get("host"),
        deleting="deletionTimestamp" in metadata,
        networks=frozenset(
            _network(nic["networkRef"], metadata["namespace"]) for nic in nics
        ),
        zone=status.get("zone"),
        group=Key(metadata["namespace"], group["name"]) if group else None,
    )


def _network(ref: KubeObject, namespace: str) -> Reference:
    kind = ref.get("kind") or Network.__name__
    scope = namespace if kind == Network.__name__ else ""
    return Reference(kind, Key(scope, ref["name"]))


def _add_indexes(informers: Informers) -> None:
    informers.servers.add_index(BY_CELL, lambda server: _present(server.cell))
    informers.servers.add_index(
        BY_GROUP, lambda server: (server.group,) if server.group else ()
    )
    informers.instances.add_index(
        BY_SERVER_UID, lambda instance: (instance.spec.server.uid,)
    )
    informers.instances.add_index(BY_HOST, lambda instance: (instance.spec.host,))
    informers.compute_hosts.add_index(WITH_UNKNOWN_GUESTS, index_unknown_guests)
    informers.pods.add_index(BY_NODE, lambda pod: _present(pod.node))


def _present(value: str | None) -> Iterable[Hashable]:
    return (value,) if value else ()


def _uid(obj: KubeObject) -> str:
    uid: str = obj["metadata"]["uid"]
    return uid


def _version(obj: KubeObject) -> str:
    version: str = obj["metadata"]["resourceVersion"]
    return version
