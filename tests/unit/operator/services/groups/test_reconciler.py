"""A group shows its members and where they are, and names no host."""

from types import SimpleNamespace
from typing import Any

import pytest

from kilonova_api.kube.resources import Key
from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_api.network import Network
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.services.control.counted_status import CountedStatus
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.groups.reconciler import GroupReconciler
from kilonova_operator.services.informers import BY_GROUP, build_server_summary
from kilonova_operator.storage.kubernetes.statuses import StatusWriter
from support.clock import FakeClock
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer
from support.servers import (
    NAMESPACE,
    group_manifest,
    network_manifest,
    network_status,
    server_manifest,
)

KEY = Key(NAMESPACE, "db")


class Stage:
    """A group, and Servers that name it."""

    def __init__(self, options: SchedulingOptions | None = None, **spec: Any) -> None:
        self.clock = FakeClock()
        self.cluster = MemoryCluster(self.clock)
        self.cluster.put(ServerGroup.resource(), group_manifest(**spec))
        servers = MemoryInformer(self.cluster, "Server", build_server_summary)
        servers.add_index(BY_GROUP, lambda s: (s.group,) if s.group else ())
        kube: Any = self.cluster
        informers: Any = SimpleNamespace(servers=servers)
        self.reconciler = GroupReconciler(
            kube=kube,
            informers=informers,
            status=CountedStatus(
                StatusWriter(kube, SUPER_FIELD_MANAGER), CountPacer(self.clock, 30.0)
            ),
            options=options or SchedulingOptions(),
            now=self.clock.utcnow,
        )

    def put_server(
        self, name: str, host: str | None = None, zone: str | None = None
    ) -> None:
        body = server_manifest(name, serverGroupRef={"name": "db"})
        place = {"host": host, "zone": zone}
        body["status"] = {k: v for k, v in place.items() if v is not None}
        self.cluster.put(Server.resource(), body)

    def put_network(self, reach: str = "host") -> None:
        body = network_manifest() | {"status": network_status() | {"reach": reach}}
        self.cluster.put(Network.resource(), body)

    async def reconcile(self, *, after_seconds: float = 60.0) -> RetryAfter | None:
        await self.clock.advance(after_seconds)
        return await self.reconciler.reconcile(KEY)

    @property
    def group(self) -> ServerGroup:
        return ServerGroup.model_validate(self.cluster.objects["ServerGroup", KEY])

    @property
    def ready(self) -> tuple[str, str]:
        found = self.group.status.condition("Ready")
        assert found is not None
        return found.status, found.reason


async def test_a_group_without_members_is_ready() -> None:
    stage = Stage()
    await stage.reconcile()
    assert stage.ready == ("True", "Empty")
    assert stage.group.status.placed == "0/0"


async def test_members_and_their_zones_are_counted() -> None:
    stage = Stage(topology="Zone")
    stage.put_server("db-0", "hv1", "az1")
    stage.put_server("db-1", "hv5", "az2")
    stage.put_server("db-2")
    await stage.reconcile()
    status = stage.group.status
    assert (status.members, status.placed_members, status.placed) == (3, 2, "2/3")
    assert (status.domains, status.zones) == ("az1,az2", ("az1", "az2"))
    assert stage.ready == ("False", "MembersWaiting")
    stage.put_server("db-2", "hv9", "az3")
    await stage.reconcile()
    assert stage.ready == ("True", "Placed")
    assert stage.group.status.placed == "3/3"


async def test_hosts_are_counted_and_not_named() -> None:
    stage = Stage(policy="SoftAffinity")
    stage.put_server("db-0", "hv1", "az1")
    stage.put_server("db-1", "hv1", "az1")
    await stage.reconcile()
    assert (stage.group.status.domains, stage.group.status.zones) == ("1", ())
    assert "hv1" not in str(stage.cluster.objects["ServerGroup", KEY]["status"])


async def test_a_server_that_is_being_deleted_is_no_member() -> None:
    stage = Stage()
    stage.put_server("db-0", "hv1")
    stage.cluster.delete_now("Server", Key(NAMESPACE, "db-0"))
    await stage.reconcile()
    assert stage.group.status.members == 0


async def test_counts_are_written_once_in_half_a_minute_and_emptiness_at_once() -> None:
    stage = Stage()
    await stage.reconcile()
    stage.put_server("db-0")
    await stage.reconcile(after_seconds=0)
    stage.put_server("db-0", "hv1")
    stage.cluster.writes.clear()
    again = await stage.reconcile(after_seconds=0)
    assert again is not None
    assert stage.cluster.writes == []
    stage.cluster.vanish("Server", Key(NAMESPACE, "db-0"))
    assert await stage.reconcile(after_seconds=0) is None
    assert stage.group.status.members == 0


async def test_a_settled_group_costs_no_write() -> None:
    stage = Stage()
    stage.put_server("db-0", "hv1")
    await stage.reconcile()
    stage.cluster.writes.clear()
    assert await stage.reconcile() is None
    assert stage.cluster.writes == []


async def test_spread_members_on_a_network_that_ends_at_the_host_are_warned() -> None:
    stage = Stage()
    stage.put_network()
    stage.put_server("db-0", "hv1")
    await stage.reconcile()
    assert stage.group.status.condition("HostLocalNetwork") is None
    stage.put_server("db-1", "hv2")
    await stage.reconcile()
    warned = stage.group.status.condition("HostLocalNetwork")
    assert warned is not None
    assert "Network private" in warned.message
    assert stage.ready == ("True", "Placed")


@pytest.mark.parametrize(
    ("policy", "reach"), [("Affinity", "host"), ("AntiAffinity", "l2")]
)
async def test_nobody_is_warned_without_need(policy: str, reach: str) -> None:
    stage = Stage(policy=policy)
    stage.put_network(reach)
    stage.put_server("db-0", "hv1")
    stage.put_server("db-1", "hv1")
    await stage.reconcile()
    assert stage.group.status.condition("HostLocalNetwork") is None


async def test_members_that_wait_for_each_other_are_waited_for_so_long() -> None:
    stage = Stage(minMembers=2, scheduleTimeoutSeconds=100)
    await stage.reconcile()
    assert stage.group.status.waiting_since is None
    stage.put_server("db-0")
    again = await stage.reconcile()
    began = stage.group.status.waiting_since
    assert began is not None
    assert again is not None
    assert again.seconds <= 100
    assert stage.ready == ("False", "WaitingForMembers")
    stage.put_server("db-1")
    await stage.reconcile(after_seconds=40)
    assert stage.ready == ("False", "MembersWaiting")
    assert stage.group.status.waiting_since == began
    await stage.reconcile(after_seconds=60)
    assert stage.ready == ("False", "ScheduleTimeout")
    assert stage.group.status.is_true("Stalled")
    stage.put_server("db-0", "hv1")
    stage.put_server("db-1", "hv2")
    await stage.reconcile()
    assert stage.group.status.waiting_since is None
    assert stage.ready == ("True", "Placed")


async def test_a_policy_that_no_enabled_filter_acts_on_is_told() -> None:
    stage = Stage(SchedulingOptions(enabled_filters=("ComputeFilter",)))
    stage.put_server("db-0")
    await stage.reconcile()
    assert stage.ready == ("False", "UnsupportedPolicy")
    assert stage.group.status.is_true("Stalled")
