"""A Network gets a range, keeps it while it is used, and never leaks it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

import pytest

from kilonova_api.kube.resources import Key, KubeObject
from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_api.network import Network
from kilonova_operator.domain.addressing import NetworkRequest
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.networks.requests import (
    RangePolicy,
    build_network_request,
)
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.services.control.feeds import FeedKind
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.networks.reconciler import (
    LOOK_AGAIN,
    NETWORK_FINALIZER,
    NetworkReconciler,
)
from kilonova_operator.services.networks.refused import RefusedNetworks
from kilonova_operator.storage.kubernetes.statuses import StatusWriter
from support.clock import FakeClock
from support.fake_stores import FakeApiStore, FakeDatabase
from support.memory_cluster import MemoryCluster
from support.servers import NAMESPACE, network_manifest

COUNT_SECONDS = 30.0
POLICY = RangePolicy(
    pool=IPv4Network("10.64.0.0/16"),
    pool_prefix=24,
    forbidden=(IPv4Network("10.96.0.0/12"),),
)
KEY = Key(NAMESPACE, "private")


@dataclass
class Stage:
    """One process's reconciler of Networks."""

    clock: FakeClock = field(default_factory=FakeClock)
    database: FakeDatabase = field(default_factory=lambda: FakeDatabase("api", term=1))
    woken: list[Key] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster = MemoryCluster(self.clock)
        self.store = FakeApiStore(self.database)
        self.restart()

    def restart(self) -> None:
        kube: Any = self.cluster
        store: Any = self.store
        self.reconciler = NetworkReconciler(
            kube=kube,
            model=Network,
            build_request=_build_request,
            store=store,
            term=lambda: Term("api", "db-1", 1, "nonce", "super", "me"),
            statuses=StatusWriter(kube, SUPER_FIELD_MANAGER),
            pacer=CountPacer(self.clock, COUNT_SECONDS),
            clock=self.clock,
            kind=FeedKind.NETWORKS,
            refused=RefusedNetworks(lambda kind, key: self.woken.append(key)),
        )

    def create(self, name: str = KEY.name, **spec: Any) -> Key:
        self.cluster.put(Network.resource(), network_manifest(name, **spec))
        return Key(NAMESPACE, name)

    def create_pooled(self, name: str = KEY.name) -> Key:
        manifest = network_manifest(name)
        del manifest["spec"]["cidr"]
        self.cluster.put(Network.resource(), manifest)
        return Key(NAMESPACE, name)

    def find(self, key: Key = KEY) -> KubeObject | None:
        return self.cluster.objects.get(("Network", key))

    def network(self, key: Key = KEY) -> Network:
        return Network.model_validate(self.find(key))

    def reason(self, key: Key = KEY) -> str:
        ready = self.network(key).status.condition("Ready")
        assert ready is not None
        return ready.reason

    async def look(self, key: Key = KEY) -> RetryAfter | None:
        return await self.reconciler.reconcile(key)


def _build_request(network: Network) -> NetworkRequest:
    return build_network_request(network, POLICY)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_network_is_held_before_it_gets_its_range(stage: Stage) -> None:
    stage.create()
    stage.database.available = False
    with pytest.raises(DatabaseUnavailable):
        await stage.look()
    assert stage.network().metadata.finalizers == (NETWORK_FINALIZER,)
    assert stage.store.networks == {}
    stage.database.available = True
    await stage.look()
    status = stage.network().status
    assert (status.cidr, status.gateway) == ("10.20.0.0/24", "10.20.0.1")
    assert (status.reach, stage.reason()) == ("host", "RangeGiven")
    assert len(stage.store.networks) == 1


async def test_a_second_look_writes_nothing(stage: Stage) -> None:
    stage.create()
    await stage.look()
    written = len(stage.cluster.writes)
    assert await stage.look() is None
    stage.restart()
    assert await stage.look() is None
    assert stage.cluster.writes[written:] == []


async def test_a_refused_range_is_said_and_asked_for_when_one_is_free(
    stage: Stage,
) -> None:
    first, second = stage.create(), stage.create("other")
    await stage.look(first)
    await stage.look(second)
    assert stage.reason(second) == "RangeInUse"
    assert stage.network(second).status.is_true("Stalled")
    assert stage.network(second).status.cidr is None
    stage.cluster.delete_now("Network", first)
    assert await stage.look(first) is None
    assert stage.find(first) is None
    assert stage.woken == [second]
    await stage.look(second)
    assert stage.reason(second) == "RangeGiven"


async def test_a_forbidden_range_waits_for_nobody(stage: Stage) -> None:
    key = stage.create(cidr="10.96.0.0/24")
    assert await stage.look(key) is None
    assert stage.reason(key) == "RangeForbidden"
    assert stage.store.networks == {}
    other = stage.create("other")
    await stage.look(other)
    stage.cluster.delete_now("Network", other)
    await stage.look(other)
    assert stage.woken == [], "no freed range helps it"


async def test_a_deleted_network_goes_after_its_last_guest(stage: Stage) -> None:
    stage.create()
    await stage.look()
    network_id = stage.network().metadata.uid
    stage.store.used_addresses[network_id] = 1
    stage.cluster.delete_now("Network", KEY)
    assert await stage.look() == LOOK_AGAIN
    assert stage.reason() == "NetworkInUse"
    assert stage.network().status.cidr == "10.20.0.0/24", "guests keep their addresses"
    stage.store.used_addresses[network_id] = 0
    assert await stage.look() is None
    assert stage.find() is None
    assert stage.store.networks == {}


async def test_a_range_is_given_back_before_the_object_goes(stage: Stage) -> None:
    stage.create()
    await stage.look()
    stage.cluster.delete_now("Network", KEY)
    stage.database.available = False
    with pytest.raises(DatabaseUnavailable):
        await stage.look()
    assert stage.find() is not None
    stage.database.available = True
    stage.restart()
    await stage.look()
    assert stage.find() is None
    assert stage.store.networks == {}


async def test_counts_are_news_once_in_a_while(stage: Stage) -> None:
    stage.create()
    await stage.look()
    network_id = stage.network().metadata.uid
    written = len(stage.cluster.writes)
    for used in range(1, 11):
        stage.store.used_addresses[network_id] = used
        again = await stage.look()
        await stage.clock.advance(1)
    assert again is not None
    assert again.seconds == pytest.approx(COUNT_SECONDS - 9)
    assert len(stage.cluster.writes) == written
    await stage.clock.advance(again.seconds)
    assert await stage.look() is None
    assert len(stage.cluster.writes) == written + 1
    assert (stage.network().status.used or "").startswith("10")


async def test_a_network_that_is_gone_is_nothing_to_do(stage: Stage) -> None:
    assert await stage.look(Key(NAMESPACE, "never-was")) is None
    assert stage.cluster.writes == []


async def test_a_range_from_the_pool_is_put_back_when_the_database_lost_it(
    stage: Stage,
) -> None:
    other = stage.create_pooled("other")
    await stage.look(other)
    await stage.look(stage.create_pooled())
    given = stage.network().status.cidr
    assert given == "10.64.1.0/24"
    stage.store.networks.clear()
    stage.store.network_names.clear()
    await stage.look(KEY)
    await stage.look(other)
    assert (stage.network().status.cidr, stage.reason()) == (given, "RangeGiven")
    assert stage.network(other).status.cidr == "10.64.0.0/24"


async def test_a_refused_network_still_says_which_range_its_guests_have(
    stage: Stage,
) -> None:
    await stage.look(stage.create_pooled())
    given = stage.network().status.cidr
    stage.store.networks.clear()
    stage.store.network_names.clear()
    await stage.look(stage.create("thief", cidr=given))
    await stage.look(KEY)
    assert stage.reason() == "RangeInUse"
    assert stage.network().status.cidr == given
    stage.cluster.delete_now("Network", Key(NAMESPACE, "thief"))
    await stage.look(Key(NAMESPACE, "thief"))
    await stage.look(KEY)
    assert (stage.reason(), stage.network().status.cidr) == ("RangeGiven", given)


@pytest.mark.parametrize("create", [Stage.create, Stage.create_pooled])
async def test_a_network_lost_without_its_finalizer_keeps_range_and_id_when_remade(
    stage: Stage, create: Callable[[Stage], Key]
) -> None:
    await stage.look(create(stage))
    before = stage.network()
    stage.store.used_addresses[before.metadata.uid] = 1
    del stage.cluster.objects["Network", KEY]
    await stage.look()
    create(stage)
    await stage.look()
    after = stage.network()
    assert after.metadata.uid != before.metadata.uid
    assert stage.reason() == "RangeGiven"
    assert after.status.cidr == before.status.cidr
    assert after.status.network_id == before.metadata.uid, "its guests hang there"
    assert (after.status.used or "").startswith("1/")
    stage.cluster.delete_now("Network", KEY)
    assert await stage.look() == LOOK_AGAIN, "its guests hold it"
    stage.store.used_addresses.clear()
    await stage.look()
    assert stage.store.networks == {}
