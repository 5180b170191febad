"""Namespaces that hold Servers are guarded at once, and for a while after."""

from typing import Any, cast

import pytest

from kilonova_api.kube.resources import Key
from kilonova_api.server import Server
from kilonova_operator.services.guards import (
    GUARD_KEY,
    GUARDED_NAMESPACES,
    KEEP_SECONDS,
    WRITE_SECONDS,
    NamespaceGuard,
)
from kilonova_operator.services.informers import build_server_summary
from support.charts import CHART
from support.clock import FakeClock
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer

SYSTEM = "kilonova-system"


class Stage:
    """The guard with its queue's promise: called again when it asks for that."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = MemoryCluster(self.clock, sets_finalizers=False)
        self.guard = self.build_guard()
        self._due: float | None = None

    def build_guard(self) -> NamespaceGuard:
        servers = MemoryInformer(self.cluster, "Server", build_server_summary)
        informers: Any = cast("Any", type("Informers", (), {"servers": servers})())
        kube: Any = self.cluster
        return NamespaceGuard(kube, informers, SYSTEM, self.clock)

    async def add_server(self, namespace: str, name: str = "web") -> None:
        metadata = {"namespace": namespace, "name": name}
        self.cluster.put(Server.resource(), {"metadata": metadata, "spec": {}})
        await self.look()

    async def remove_server(self, namespace: str, name: str = "web") -> None:
        self.cluster.vanish("Server", Key(namespace, name))
        await self.look()

    async def look(self) -> None:
        again = await self.guard.reconcile(GUARD_KEY)
        now = self.clock.boottime()
        self._due = None if again is None else now + again.seconds

    async def run(self, seconds: float) -> None:
        ends_at = self.clock.boottime() + seconds
        while self._due is not None and self._due <= ends_at:
            await self.clock.advance(self._due - self.clock.boottime())
            await self.look()
        await self.clock.advance(ends_at - self.clock.boottime())

    @property
    def at_rest(self) -> bool:
        return self._due is None

    @property
    def listed(self) -> set[str]:
        found = self.cluster.objects["ConfigMap", Key(SYSTEM, GUARDED_NAMESPACES)]
        return set(found["data"])

    @property
    def writes(self) -> int:
        return len(self.cluster.writes)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_namespace_with_a_server_is_guarded_at_once(stage: Stage) -> None:
    await stage.add_server("shop")
    assert stage.listed == {"shop"}
    assert stage.at_rest


async def test_a_start_takes_all_namespaces_in_one_write(stage: Stage) -> None:
    for number in range(5):
        metadata = {"namespace": f"shop-{number}", "name": "web"}
        stage.cluster.put(Server.resource(), {"metadata": metadata, "spec": {}})
    await stage.look()
    assert len(stage.listed) == 5
    assert stage.writes == 1


async def test_many_new_namespaces_are_guarded_soon_by_few_writes(stage: Stage) -> None:
    for number in range(100):
        await stage.add_server(f"shop-{number}")
        await stage.run(0.1)
    await stage.run(WRITE_SECONDS)
    assert len(stage.listed) == 100
    assert stage.writes <= 4
    assert stage.at_rest


async def test_one_server_after_another_costs_no_further_write(stage: Stage) -> None:
    for _ in range(30):
        await stage.add_server("shop")
        await stage.run(5)
        await stage.remove_server("shop")
        await stage.run(5)
        assert stage.listed == {"shop"}
    assert stage.writes == 1


async def test_an_empty_namespace_is_let_go_within_a_minute(stage: Stage) -> None:
    await stage.add_server("shop")
    await stage.add_server("shop", "db")
    await stage.remove_server("shop", "db")
    await stage.run(300)
    assert stage.listed == {"shop"}
    await stage.remove_server("shop")
    await stage.run(KEEP_SECONDS - 1)
    assert stage.listed == {"shop"}
    await stage.run(1 + WRITE_SECONDS)
    assert stage.listed == set()
    assert stage.at_rest


async def test_a_restarted_operator_lets_go_of_what_emptied_meanwhile(
    stage: Stage,
) -> None:
    await stage.add_server("shop")
    stage.cluster.vanish("Server", Key("shop", "web"))
    stage.guard = stage.build_guard()
    await stage.look()
    assert stage.listed == {"shop"}
    await stage.run(60)
    assert stage.listed == set()


async def test_a_list_that_a_hand_changed_is_put_right(stage: Stage) -> None:
    await stage.add_server("shop")
    await stage.run(60)
    stage.cluster.vanish("ConfigMap", Key(SYSTEM, GUARDED_NAMESPACES))
    await stage.look()
    assert stage.listed == {"shop"}


async def test_idle_costs_no_write(stage: Stage) -> None:
    await stage.add_server("shop")
    before = stage.writes
    for _ in range(10):
        await stage.run(600)
        await stage.look()
    assert stage.writes == before


def test_the_refusal_says_how_long_a_namespace_stays_guarded() -> None:
    policies = (CHART / "templates" / "guards").glob("*.yaml")
    text = "".join(path.read_text(encoding="utf-8") for path in policies)
    assert GUARDED_NAMESPACES in text
    assert "still holds Servers, or held some less than a minute ago" in text
    assert KEEP_SECONDS + 2 * WRITE_SECONDS < 60
