"""An aggregate shows its hosts, what it shares, and what stands in its way."""

from typing import Any

import pytest

from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.kube.resources import Key
from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_operator.domain.inventory import Inventory
from kilonova_operator.domain.providers import SHARING_TRAIT
from kilonova_operator.services.aggregates.reconciler import AggregateReconciler
from kilonova_operator.services.aggregates.shared import SharedResources, provider_name
from kilonova_operator.services.control.counted_status import CountedStatus
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.storage.kubernetes.statuses import StatusWriter
from support.aggregates import AggregateScene
from support.fake_providers import FakeCounts
from support.host_stage import TERM
from support.servers import condition

NFS = {"resourceClass": "DISK_GB", "total": 1000, "reserved": 100}


class Stage(AggregateScene):
    """Two hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = FakeCounts()
        self.put_host("hv1")
        self.put_host("hv2")
        self.restart()

    def restart(self) -> None:
        kube: Any = self.cluster
        store: Any = self.counts
        index = self.build_index()
        self.told_shared = 0
        self.shared = SharedResources(store, lambda: TERM, self._hear)
        self.reconciler = AggregateReconciler(
            kube=kube,
            index=index,
            hosts=self.hosts,
            shared=self.shared,
            status=CountedStatus(
                StatusWriter(kube, SUPER_FIELD_MANAGER), CountPacer(self.clock, 30.0)
            ),
            now=self.clock.utcnow,
        )

    def _hear(self) -> None:
        self.told_shared += 1

    async def reconcile(self, name: str) -> RetryAfter | None:
        return await self.reconciler.reconcile(Key("", name))

    def status_of(self, name: str) -> Any:
        found = self.cluster.objects["HostAggregate", Key("", name)]
        return HostAggregate.model_validate(found).status

    def ready(self, name: str) -> tuple[str, str]:
        found = self.status_of(name).condition("Ready")
        return found.status, found.reason

    def told(self, name: str) -> str:
        return str(self.status_of(name).condition("Ready").message)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_hosts_are_counted(stage: Stage) -> None:
    stage.put_aggregate("all", hostSelector={})
    await stage.reconcile("all")
    assert stage.status_of("all").hosts == 2
    assert stage.ready("all") == ("True", "HasHosts")
    stage.cluster.writes.clear()
    assert await stage.reconcile("all") is None
    assert stage.cluster.writes == []


async def test_counts_wait_and_problems_do_not(stage: Stage) -> None:
    stage.put_aggregate("all", hostSelector={})
    await stage.reconcile("all")
    stage.put_host("hv3")
    again = await stage.reconcile("all")
    assert again is not None
    assert stage.status_of("all").hosts == 2
    await stage.clock.advance(again.seconds)
    await stage.reconcile("all")
    assert stage.status_of("all").hosts == 3


async def test_without_hosts_it_says_so(stage: Stage) -> None:
    stage.put_aggregate("ssd", hostSelector={"matchLabels": {"disk": "ssd"}})
    await stage.reconcile("ssd")
    assert stage.ready("ssd") == ("False", "NoHosts")
    stage.put_host("hv1", labels={"disk": "ssd"})
    await stage.reconcile("ssd")
    assert stage.ready("ssd") == ("True", "HasHosts")


async def test_a_host_that_does_not_exist_is_named(stage: Stage) -> None:
    stage.put_aggregate("ssd", hosts=["hv1", "hv7"])
    await stage.reconcile("ssd")
    assert stage.ready("ssd") == ("False", "UnknownHost")
    assert stage.told("ssd").startswith("hv7:")
    assert stage.status_of("ssd").hosts == 1


async def test_zones_that_contradict_are_told_on_both_sides(stage: Stage) -> None:
    stage.put_aggregate("east", hosts=["hv1", "hv2"], availabilityZone="az1")
    stage.put_aggregate("west", hosts=["hv2"], availabilityZone="az2")
    stage.put_aggregate("fast", hosts=["hv2"])
    for name in ("east", "west", "fast"):
        await stage.reconcile(name)
    assert stage.ready("east") == ("False", "ZoneConflict")
    assert stage.ready("west") == ("False", "ZoneConflict")
    assert stage.told("west").startswith("hv2: in aggregates of zones az1 and az2")
    assert stage.ready("fast") == ("True", "HasHosts")


async def test_a_zone_that_waits_for_an_empty_host_is_told(stage: Stage) -> None:
    held = {"conditions": [condition("ZoneHeld", "True", "ZoneHeld")]}
    body = {"metadata": {"name": "hv1"}, "spec": {}, "status": held}
    stage.cluster.put(ComputeHost.resource(), body)
    stage.put_aggregate("east", hosts=["hv1"], availabilityZone="az1")
    await stage.reconcile("east")
    assert stage.ready("east") == ("False", "ZoneHeld")
    assert "hv1: not in zone az1 yet" in stage.told("east")


async def test_what_is_shared_is_a_provider_of_its_own(stage: Stage) -> None:
    stage.put_aggregate("nfs", hosts=["hv1"], sharedResources=[NFS])
    await stage.reconcile("nfs")
    provider = stage.counts.providers[provider_name("nfs")]
    assert provider.inventories == {
        "DISK_GB": Inventory(total=1000, reserved=100, max_unit=1000)
    }
    assert provider.traits == {SHARING_TRAIT}
    assert provider.aggregates == {"nfs"}
    assert stage.told_shared == 1
    writes = stage.counts.writes
    await stage.reconcile("nfs")
    assert (stage.counts.writes, stage.told_shared) == (writes, 1)


async def test_what_is_shared_goes_with_the_aggregate(stage: Stage) -> None:
    stage.put_aggregate("nfs", hosts=["hv1"], sharedResources=[NFS])
    await stage.reconcile("nfs")
    stage.cluster.vanish("HostAggregate", Key("", "nfs"))
    assert await stage.reconcile("nfs") is None
    assert stage.counts.providers == {}


async def test_what_is_shared_stays_while_it_is_claimed(stage: Stage) -> None:
    stage.put_aggregate("nfs", hosts=["hv1"], sharedResources=[NFS])
    await stage.reconcile("nfs")
    stage.counts.claimed[provider_name("nfs")] = {"DISK_GB"}
    stage.cluster.vanish("HostAggregate", Key("", "nfs"))
    assert await stage.reconcile("nfs") is not None
    assert provider_name("nfs") in stage.counts.providers


async def test_an_aggregate_that_went_unseen_is_swept(stage: Stage) -> None:
    stage.put_aggregate("nfs", hosts=["hv1"], sharedResources=[NFS])
    stage.put_aggregate("san", hosts=["hv1"], sharedResources=[NFS])
    await stage.reconcile("nfs")
    await stage.reconcile("san")
    stage.cluster.vanish("HostAggregate", Key("", "nfs"))
    stage.restart()
    await stage.reconciler.sweep(Key("", "cell0"))
    assert set(stage.counts.providers) == {provider_name("san")}


async def test_an_unknown_resource_class_is_told(stage: Stage) -> None:
    stage.put_aggregate(
        "nfs", hosts=["hv1"], sharedResources=[NFS | {"resourceClass": "DISK_TB"}]
    )
    assert await stage.reconcile("nfs") is not None
    assert stage.ready("nfs") == ("False", "InventoryInvalid")
    assert "DISK_TB" in stage.told("nfs")
    assert "spec.sharedResources" in stage.told("nfs")
