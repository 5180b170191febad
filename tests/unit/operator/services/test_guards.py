"""Namespaces that hold Servers are guarded at once, and for a while after."""

from typing import Any, cast

import pytest

from kilonova_api.kube.resources import CONFIG_MAP, Key
from kilonova_api.server import Server
from kilonova_operator.services.guards import (
    GUARDED_NAMESPACES,
    KEEP_SECONDS,
    NamespaceGuard,
)
from kilonova_operator.services.informers import BY_NAMESPACE, build_server_summary
from support.clock import FakeClock
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer

SYSTEM = "kilonova-system"


class Stage:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = MemoryCluster(self.clock, sets_finalizers=False)
        servers = MemoryInformer(self.cluster, "Server", build_server_summary)
        servers.add_index(BY_NAMESPACE, lambda server: (server.namespace,))
        informers: Any = cast("Any", type("Informers", (), {"servers": servers})())
        kube: Any = self.cluster
        self.guard = NamespaceGuard(kube, informers, SYSTEM, self.clock)

    def add_server(self, namespace: str, name: str = "web") -> None:
        metadata = {"namespace": namespace, "name": name}
        self.cluster.put(Server.resource(), {"metadata": metadata, "spec": {}})

    def remove_server(self, namespace: str, name: str = "web") -> None:
        self.cluster.vanish("Server", Key(namespace, name))

    async def look(self, namespace: str) -> set[str]:
        await self.guard.reconcile(Key("", namespace))
        found = await self.cluster.find(CONFIG_MAP, SYSTEM, GUARDED_NAMESPACES)
        assert found is not None
        return set(found["data"])


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_namespace_with_a_server_is_guarded_at_once(stage: Stage) -> None:
    stage.add_server("shop")
    assert await stage.look("shop") == {"shop"}


async def test_the_first_look_takes_all_namespaces_in_one_write(stage: Stage) -> None:
    for number in range(5):
        stage.add_server(f"shop-{number}")
    before = len(stage.cluster.writes)
    assert len(await stage.look("shop-0")) == 5
    assert len(stage.cluster.writes) - before == 1


async def test_one_server_after_another_costs_no_further_write(stage: Stage) -> None:
    stage.add_server("shop")
    await stage.look("shop")
    before = len(stage.cluster.writes)
    for _ in range(10):
        stage.remove_server("shop")
        await stage.look("shop")
        await stage.clock.advance(5)
        stage.add_server("shop")
        await stage.look("shop")
    assert len(stage.cluster.writes) == before


async def test_an_empty_namespace_is_let_go_after_a_while(stage: Stage) -> None:
    stage.add_server("shop")
    await stage.look("shop")
    stage.remove_server("shop")
    again = await stage.guard.reconcile(Key("", "shop"))
    assert again is not None
    assert again.seconds == pytest.approx(KEEP_SECONDS)
    await stage.clock.advance(again.seconds)
    assert await stage.look("shop") == set()


async def test_a_namespace_that_never_held_servers_is_not_guarded(stage: Stage) -> None:
    assert await stage.look("kilonova-system") == set()
