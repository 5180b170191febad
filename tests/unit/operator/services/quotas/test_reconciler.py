"""A quota shows what is used of what is allowed, and not more often than need be."""

from typing import Any

import pytest

from kilonova_api.kube.resources import NAMESPACE, Key
from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_api.server_quota import ServerQuota
from kilonova_operator.domain.quota import QuotaLimits, Usage
from kilonova_operator.services.control.counted_status import CountedStatus
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.quotas.directory import QuotaDirectory
from kilonova_operator.services.quotas.reconciler import QuotaReconciler
from kilonova_operator.storage.kubernetes.statuses import StatusWriter
from support.clock import FakeClock
from support.fake_providers import FakeCounts
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer

KEY = Key("shop", "quota")
WRITE = "apply ServerQuota/status quota"


class Stage:
    """A namespace with a quota of 3 Servers and 8 cores."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = MemoryCluster(self.clock)
        self.counts = FakeCounts()
        made = self.cluster.put(NAMESPACE, {"metadata": {"name": "shop"}})
        self.namespace_uid = made["metadata"]["uid"]
        self.limit(instances=3, cores=8)
        kube: Any = self.cluster
        store: Any = self.counts
        directory = QuotaDirectory(
            quotas=MemoryInformer(
                self.cluster, "ServerQuota", ServerQuota.model_validate
            ),
            namespaces=MemoryInformer(
                self.cluster, "Namespace", lambda obj: str(obj["metadata"]["uid"])
            ),
            kube=kube,
            default=QuotaLimits(),
        )
        self.reconciler = QuotaReconciler(
            kube=kube,
            store=store,
            directory=directory,
            status=CountedStatus(
                StatusWriter(kube, SUPER_FIELD_MANAGER), CountPacer(self.clock, 30.0)
            ),
            now=self.clock.utcnow,
        )

    def limit(self, **spec: Any) -> None:
        metadata = {"namespace": "shop", "name": "quota"}
        self.cluster.put(ServerQuota.resource(), {"metadata": metadata, "spec": spec})

    def use(self, instances: int, cores: int, ram_mib: int) -> None:
        self.counts.usages[self.namespace_uid] = Usage(instances, cores, ram_mib)

    async def reconcile(self) -> RetryAfter | None:
        return await self.reconciler.reconcile(KEY)

    @property
    def quota(self) -> ServerQuota:
        return ServerQuota.model_validate(self.cluster.objects["ServerQuota", KEY])

    @property
    def shown(self) -> tuple[str | None, ...]:
        status = self.quota.status
        return status.instances, status.cores, status.ram_mib


@pytest.fixture
async def stage() -> Stage:
    stage = Stage()
    await stage.reconcile()
    return stage


async def test_use_and_limit_stand_in_the_columns(stage: Stage) -> None:
    assert stage.shown == ("0/3", "0/8", "0")
    assert stage.quota.status.is_true("Ready")


async def test_counts_are_written_once_in_half_a_minute(stage: Stage) -> None:
    await stage.clock.advance(60)
    stage.use(1, 2, 512)
    assert await stage.reconcile() is None
    assert stage.shown == ("1/3", "2/8", "512")
    stage.use(2, 4, 1024)
    stage.cluster.writes.clear()
    again = await stage.reconcile()
    assert again is not None
    assert stage.cluster.writes == []
    await stage.clock.advance(again.seconds)
    assert await stage.reconcile() is None
    assert stage.shown == ("2/3", "4/8", "1024")


async def test_a_settled_quota_costs_no_write(stage: Stage) -> None:
    stage.cluster.writes.clear()
    await stage.clock.advance(60)
    assert await stage.reconcile() is None
    assert stage.cluster.writes == []


async def test_a_limit_below_what_is_used_is_told_at_once(stage: Stage) -> None:
    await stage.clock.advance(60)
    stage.use(3, 6, 1536)
    await stage.reconcile()
    stage.limit(instances=2, cores=4)
    assert await stage.reconcile() is None
    assert stage.shown == ("3/2", "6/4", "1536")
    over = stage.quota.status.condition("OverQuota")
    assert over is not None
    assert "spec.instances and spec.cores" in over.message
    assert stage.quota.status.is_true("Ready")
    await stage.clock.advance(60)
    stage.use(2, 4, 1024)
    await stage.reconcile()
    assert stage.quota.status.condition("OverQuota") is None


async def test_a_quota_whose_namespace_is_gone_is_left_alone(stage: Stage) -> None:
    stage.cluster.vanish("Namespace", Key("", "shop"))
    stage.cluster.writes.clear()
    assert await stage.reconcile() is None
    assert stage.cluster.writes == []
