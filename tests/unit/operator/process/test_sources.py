"""Groups, quotas and aggregates are counted anew when what they count changes."""

from random import Random
from types import SimpleNamespace
from typing import Any

from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.instance import Instance
from kilonova_api.kube.resources import Key
from kilonova_api.server import Server
from kilonova_api.server_quota import ServerQuota
from kilonova_operator.domain.hosts.nodes import build_node_summary, build_pod_summary
from kilonova_operator.process.sources import Sources
from kilonova_operator.services.aggregates.index import AggregateIndex
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.control.waiting import Waiting
from kilonova_operator.services.informers import build_server_summary
from support.clock import FakeClock
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer
from support.servers import NAMESPACE, condition, server_manifest

GROUP, QUOTA = Key(NAMESPACE, "db"), Key(NAMESPACE, "quota")


class Stage:
    """Informers over objects in memory, and ears on the feeds."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster(FakeClock())
        self.heard: list[tuple[FeedKind, Key]] = []
        self.woken: list[Key] = []
        informers = self._build_informers()
        feeds = Feeds()
        waiting = Waiting(
            self.woken.append, later=lambda _, call: call(), random=Random(1)
        )
        self.waiting = waiting
        index = AggregateIndex(
            aggregates=informers.host_aggregates,
            hosts=informers.compute_hosts,
            nodes=informers.nodes,
        )
        Sources(informers, feeds, waiting, index, lambda *_: None).connect()
        for kind in (FeedKind.GROUPS, FeedKind.QUOTAS, FeedKind.AGGREGATES):
            feeds.subscribe(Feed(kind), self._build_ear(kind))

    def _build_ear(self, kind: FeedKind) -> Any:
        return lambda key: self.heard.append((kind, key))

    def _build_informers(self) -> Any:
        kinds: dict[str, tuple[str, Any]] = {
            "servers": ("Server", build_server_summary),
            "instances": ("Instance", Instance.model_validate),
            "compute_hosts": ("ComputeHost", ComputeHost.model_validate),
            "host_aggregates": ("HostAggregate", HostAggregate.model_validate),
            "server_quotas": ("ServerQuota", ServerQuota.model_validate),
            "nodes": ("Node", build_node_summary),
            "pods": ("Pod", build_pod_summary),
            "heartbeats": ("Lease", dict),
            "host_namespaces": ("Namespace", dict),
            "host_accounts": ("ServiceAccount", dict),
        }
        return SimpleNamespace(
            **{n: MemoryInformer(self.cluster, *kind) for n, kind in kinds.items()}
        )

    def put_server(self, **status: Any) -> None:
        body = server_manifest("db-0", serverGroupRef={"name": "db"})
        self.cluster.put(Server.resource(), body | {"status": status})

    def put_quota(self, instances: int) -> None:
        metadata = {"name": QUOTA.name, "namespace": QUOTA.namespace}
        body = {"metadata": metadata, "spec": {"instances": instances}}
        self.cluster.put(ServerQuota.resource(), body)

    def put_host(self, **status: Any) -> None:
        body = {"metadata": {"name": "hv1"}, "spec": {}, "status": status}
        self.cluster.put(ComputeHost.resource(), body)

    def take_heard(self) -> set[tuple[FeedKind, Key]]:
        heard, self.heard = set(self.heard), []
        return heard


def test_a_member_that_comes_moves_or_goes_is_counted() -> None:
    stage = Stage()
    for status in ({}, {"host": "hv1", "zone": "az1"}, {"host": "hv1", "zone": "az2"}):
        stage.put_server(**status)
        assert stage.take_heard() == {(FeedKind.GROUPS, GROUP)}
    stage.cluster.delete_now("Server", Key(NAMESPACE, "db-0"))
    assert stage.take_heard() == {(FeedKind.GROUPS, GROUP)}


def test_other_news_of_a_member_is_none_for_its_group() -> None:
    stage = Stage()
    stage.put_server(host="hv1")
    stage.take_heard()
    stage.put_server(host="hv1", state="ACTIVE")
    assert stage.take_heard() == set()


def test_a_quota_is_counted_where_there_is_one() -> None:
    stage = Stage()
    stage.put_quota(3)
    assert stage.take_heard() == {(FeedKind.QUOTAS, QUOTA)}
    stage.put_server(host="hv1")
    assert (FeedKind.QUOTAS, QUOTA) in stage.take_heard()


def test_a_raised_quota_wakes_those_who_wait() -> None:
    stage = Stage()
    stage.put_quota(3)
    waits = Key(NAMESPACE, "web-9")
    stage.waiting.for_capacity(waits)
    stage.put_quota(4)
    assert stage.woken == [waits]


def test_a_zone_that_was_taken_or_held_is_told_to_the_hosts_aggregates() -> None:
    stage = Stage()
    stage.put_host()
    stage.cluster.put(
        HostAggregate.resource(),
        {"metadata": {"name": "east"}, "spec": {"hosts": ["hv1"]}},
    )
    east = {(FeedKind.AGGREGATES, Key("", "east"))}
    assert stage.take_heard() == east
    stage.put_host(zone="az1")
    assert stage.take_heard() == east
    held = [condition("ZoneHeld", "True", "ZoneHeld")]
    stage.put_host(zone="az1", conditions=held)
    assert stage.take_heard() == east
    stage.put_host(zone="az1", conditions=held, servers=3)
    assert stage.take_heard() == set()
