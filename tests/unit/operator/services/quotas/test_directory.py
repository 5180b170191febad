"""What a namespace may use: by its ServerQuota, else by the chart's default."""

from typing import Any

from kilonova_api.kube.resources import NAMESPACE, Key
from kilonova_api.server_quota import ServerQuota
from kilonova_operator.domain.quota import QuotaLimits
from kilonova_operator.services.quotas.directory import NamespaceQuota, QuotaDirectory
from support.clock import FakeClock
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer

DEFAULT = QuotaLimits(10, 20, 51200)


class Stage:
    """A namespace, and informers that may know it."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster(FakeClock())
        self.uid = self.make_namespace()

    def make_namespace(self) -> str:
        made = self.cluster.put(NAMESPACE, {"metadata": {"name": "shop"}})
        return str(made["metadata"]["uid"])

    def set_quota(self, **spec: Any) -> None:
        metadata = {"namespace": "shop", "name": "quota"}
        body = {"metadata": metadata, "spec": spec}
        self.cluster.put(ServerQuota.resource(), body)

    def build(self, *, informed: bool = True) -> QuotaDirectory:
        kube: Any = self.cluster
        nowhere = MemoryCluster(FakeClock())
        return QuotaDirectory(
            quotas=MemoryInformer(
                self.cluster, "ServerQuota", ServerQuota.model_validate
            ),
            namespaces=MemoryInformer(
                self.cluster if informed else nowhere,
                "Namespace",
                lambda obj: str(obj["metadata"]["uid"]),
            ),
            kube=kube,
            default=DEFAULT,
        )


async def test_without_an_object_the_default_holds() -> None:
    stage = Stage()
    assert await stage.build().find_limits("shop") == NamespaceQuota(stage.uid, DEFAULT)


async def test_an_object_replaces_the_default_as_a_whole() -> None:
    stage = Stage()
    stage.set_quota(instances=3)
    found = await stage.build().find_limits("shop")
    assert found == NamespaceQuota(stage.uid, QuotaLimits(instances=3))


async def test_with_the_object_gone_the_default_is_back() -> None:
    stage = Stage()
    stage.set_quota(instances=3)
    directory = stage.build()
    stage.cluster.vanish("ServerQuota", Key("shop", "quota"))
    assert await directory.find_limits("shop") == NamespaceQuota(stage.uid, DEFAULT)


async def test_a_namespace_made_again_has_another_uid() -> None:
    stage = Stage()
    directory = stage.build()
    stage.cluster.vanish("Namespace", Key("", "shop"))
    assert await directory.find_limits("shop") is None
    second = stage.make_namespace()
    assert second != stage.uid
    assert await directory.find_limits("shop") == NamespaceQuota(second, DEFAULT)


async def test_a_namespace_that_the_informer_does_not_know_yet_is_asked_for() -> None:
    stage = Stage()
    found = await stage.build(informed=False).find_limits("shop")
    assert found == NamespaceQuota(stage.uid, DEFAULT)
