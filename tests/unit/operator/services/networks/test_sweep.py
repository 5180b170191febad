"""A range without object and addresses is given back; any other stays."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from kilonova_api.kube.resources import Key
from kilonova_api.names import CELL0
from kilonova_api.network import Network
from kilonova_operator.domain.addressing import NetworkHolder, NetworkRequest
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.networks.requests import network_id_of
from kilonova_operator.services.control.feeds import FeedKind
from kilonova_operator.services.networks.refused import RefusedNetworks
from kilonova_operator.services.networks.sweep import NetworkSweep, find_orphans
from support.clock import FakeClock
from support.fake_stores import FakeApiStore, FakeDatabase
from support.servers import NAMESPACE, network_manifest
from support.watched_cluster import WatchedCluster

TERM = Term("api", "db-1", 1, "nonce", "super", "me")
WAITING = Key(NAMESPACE, "waiting")


class Stage:
    """A sweep, one network with a range and one that waits for it."""

    def __init__(self) -> None:
        self.cluster = WatchedCluster(FakeClock())
        self.store = FakeApiStore(FakeDatabase("api", term=1))
        self.woken: list[Key] = []
        refused = RefusedNetworks(lambda kind, key: self.woken.append(key))
        refused.note(FeedKind.NETWORKS, WAITING)
        kube: Any = self.cluster
        store: Any = self.store
        self.sweep = NetworkSweep(kube, store, lambda: TERM, refused)

    async def prepare(self) -> str:
        self.cluster.put(Network.resource(), network_manifest("private"))
        found = self.cluster.objects["Network", Key(NAMESPACE, "private")]
        network_id = network_id_of(Network.model_validate(found))
        pool = IPv4Network("10.64.0.0/16")
        name = f"Network {NAMESPACE}/private"
        request = NetworkRequest(network_id, "NAT", name, pool=pool)
        await self.store.ensure_network(TERM, request)
        return network_id

    def lose(self) -> None:
        del self.cluster.objects["Network", Key(NAMESPACE, "private")]

    async def look(self, cell: str = CELL0) -> set[str]:
        await self.sweep.reconcile(Key("", cell))
        return set(self.store.networks)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_range_whose_object_is_gone_is_given_back(stage: Stage) -> None:
    network_id = await stage.prepare()
    assert await stage.look() == {network_id}
    assert stage.woken == []
    stage.lose()
    assert await stage.look("cell1") == {network_id}, "once for all cells"
    assert await stage.look() == set()
    assert stage.woken == [WAITING]


async def test_a_range_with_addresses_outlives_its_object(stage: Stage) -> None:
    network_id = await stage.prepare()
    stage.store.used_addresses[network_id] = 1
    stage.lose()
    assert await stage.look() == {network_id}
    assert stage.woken == []


def test_what_its_successor_will_take_over_is_no_orphan() -> None:
    old = NetworkHolder("net-1", "Network shop/a")
    successor = NetworkHolder("net-2", "Network shop/a")
    assert find_orphans([old], [successor]) == ()
    assert find_orphans([old, successor], [successor]) == (old,)
    assert find_orphans([old], []) == (old,)
