"""What is told to the feeds when an informer sees a change."""

from collections.abc import Callable
from dataclasses import dataclass

from kilonova_api.compute_host import ComputeHost
from kilonova_api.instance import Instance
from kilonova_api.kube.resources import Key
from kilonova_api.server_quota import QUOTA_NAME, ServerQuota
from kilonova_operator.domain.hosts.nodes import NodeSummary, PodSummary
from kilonova_operator.domain.hosts.zones import ZONE_HELD
from kilonova_operator.services.aggregates.index import AggregateIndex
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.control.waiting import Reference, Waiting
from kilonova_operator.services.guards import GUARD_KEY
from kilonova_operator.services.informers import Informers, ServerSummary

REFERENCES = {
    FeedKind.FLAVORS: "Flavor",
    FeedKind.IMAGES: "Image",
    FeedKind.CLUSTER_IMAGES: "ClusterImage",
    FeedKind.NETWORKS: "Network",
    FeedKind.CLUSTER_NETWORKS: "ClusterNetwork",
    FeedKind.GROUPS: "ServerGroup",
}
"""Kinds that a Server refers to, by the feed that tells of their changes."""
NETWORK_FEEDS = {
    "Network": FeedKind.NETWORKS,
    "ClusterNetwork": FeedKind.CLUSTER_NETWORKS,
}


@dataclass(frozen=True, slots=True)
class Sources:
    """Handlers of informers' changes. Each one returns at once."""

    informers: Informers
    feeds: Feeds
    waiting: Waiting
    aggregates: AggregateIndex
    hear_heartbeat: Callable[[str, str, bool], None]

    def connect(self) -> None:
        """Register every handler; before the informers run."""
        informers = self.informers
        informers.servers.on_change(self._server_changed)
        informers.instances.on_change(self._instance_changed)
        informers.compute_hosts.on_change(self._host_changed)
        informers.server_quotas.on_change(self._quota_changed)
        informers.nodes.on_change(self._node_changed)
        informers.pods.on_change(self._pod_changed)
        informers.heartbeats.on_change(self._heartbeat_changed)
        informers.host_namespaces.on_change(self._host_namespace_changed)
        informers.host_accounts.on_change(self._host_account_changed)
        self.aggregates.on_host(self._publish_host)
        self.aggregates.on_aggregate(self._publish_aggregate)
        for kind, name in REFERENCES.items():
            self.feeds.subscribe(Feed(kind), self._build_reference_waker(name))

    def _server_changed(
        self, key: Key, old: ServerSummary | None, new: ServerSummary | None
    ) -> None:
        # kopf tells of all else; of what vanished while it was away it does not.
        if new is None:
            cell = None if old is None else old.cell
            self.feeds.publish(FeedKind.SERVERS, key, cell=cell)
        if old is None or new is None:
            self.feeds.publish(FeedKind.GUARDED_NAMESPACES, GUARD_KEY)
        if _holds(old) != _holds(new):
            self._publish_networks(new or old)
        if _place_of(old) != _place_of(new):
            self._publish_counted(new or old)
        self._publish_cells(old.cell if old else None, new.cell if new else None)

    def _instance_changed(
        self, _key: Key, old: Instance | None, new: Instance | None
    ) -> None:
        instance = new or old
        if instance is None:
            return
        spec = instance.spec
        server = Key(spec.server.namespace, spec.server.name)
        self.feeds.publish(FeedKind.SERVERS, server, cell=spec.cell)
        if old is None or new is None:
            self._publish_host(spec.host)

    def _host_changed(
        self, key: Key, old: ComputeHost | None, new: ComputeHost | None
    ) -> None:
        self._publish_host(key.name)
        self._publish_cells(
            old.status.cell if old else None, new.status.cell if new else None
        )
        if _takes_servers(new) and not _takes_servers(old):
            self.waiting.capacity_changed()
        if _zone_of(old) != _zone_of(new):
            for aggregate in self.aggregates.of_host(key.name):
                self._publish_aggregate(aggregate.metadata.name)

    def _quota_changed(
        self, key: Key, old: ServerQuota | None, new: ServerQuota | None
    ) -> None:
        self.feeds.publish(FeedKind.QUOTAS, key)
        if (old.spec if old else None) != (new.spec if new else None):
            self.waiting.capacity_changed()

    def _node_changed(
        self, key: Key, old: NodeSummary | None, new: NodeSummary | None
    ) -> None:
        # A kubelet reports every few minutes what we do not keep.
        if old != new and ((old and old.hypervisor) or (new and new.hypervisor)):
            self._publish_host(key.name)

    def _pod_changed(
        self, _key: Key, old: PodSummary | None, new: PodSummary | None
    ) -> None:
        if old == new:
            return
        for pod in (old, new):
            if (
                pod is not None
                and Key("", pod.node) in self.informers.compute_hosts.items()
            ):
                self._publish_host(pod.node)

    def _heartbeat_changed(self, key: Key, old: str | None, new: str | None) -> None:
        if new is not None:
            born = old is None and self.informers.heartbeats.synced
            self.hear_heartbeat(key.namespace, new, born)

    def _host_namespace_changed(
        self, _key: Key, old: str | None, new: str | None
    ) -> None:
        # Whose it was is not in its name; hosts are few, and this is rare.
        if new is None or (old is not None and old != new):
            self._publish_all_hosts()

    def _host_account_changed(
        self, key: Key, _old: str | None, new: str | None
    ) -> None:
        if new is None:
            self._publish_host(key.name)

    def _publish_all_hosts(self) -> None:
        for key in list(self.informers.compute_hosts.items()):
            self._publish_host(key.name)

    def _publish_host(self, host: str) -> None:
        self.feeds.publish(FeedKind.HOSTS, Key("", host))

    def _publish_aggregate(self, aggregate: str) -> None:
        self.feeds.publish(FeedKind.AGGREGATES, Key("", aggregate))

    def _publish_cells(self, old: str | None, new: str | None) -> None:
        if old != new:
            for cell in filter(None, (old, new)):
                self.feeds.publish(FeedKind.CELLS, Key("", cell))

    def _publish_networks(self, server: ServerSummary | None) -> None:
        for network in () if server is None else server.networks:
            self.feeds.publish(NETWORK_FEEDS[network.kind], network.key)

    def _publish_counted(self, server: ServerSummary | None) -> None:
        """Let group and quota of a Server be counted anew."""
        if server is None:
            return
        if server.group is not None:
            self.feeds.publish(FeedKind.GROUPS, server.group)
        quota = Key(server.namespace, QUOTA_NAME)
        if self.informers.server_quotas.find(quota) is not None:
            self.feeds.publish(FeedKind.QUOTAS, quota)

    def _build_reference_waker(self, kind: str) -> Callable[[Key], None]:
        return lambda key: self.waiting.reference_changed(Reference(kind, key))


def _holds(server: ServerSummary | None) -> bool:
    """Tell whether the Server holds addresses, as far as its status tells."""
    return server is not None and server.host is not None


def _place_of(server: ServerSummary | None) -> tuple[object, ...] | None:
    """Return what groups and quotas count of a Server."""
    if server is None:
        return None
    return server.uid, server.host, server.zone, server.deleting


def _zone_of(host: ComputeHost | None) -> tuple[str | None, bool] | None:
    """Return what aggregates say of the host's zone."""
    if host is None:
        return None
    return host.status.zone, host.status.is_true(ZONE_HELD)


def _takes_servers(host: ComputeHost | None) -> bool:
    if host is None:
        return False
    return host.status.state == "Up" and host.status.scheduling == "Enabled"
