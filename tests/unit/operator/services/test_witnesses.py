"""A lost database gets back groups, zones and whose quota a Server counts for."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from kilonova_api.compute_host import ComputeHost
from kilonova_api.instance import Instance
from kilonova_api.kube.api import ObjectList
from kilonova_api.kube.resources import NAMESPACE, Key, Resource
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.placement import WitnessedClaim
from kilonova_operator.services.informers import build_server_summary
from kilonova_operator.services.witnesses import Witnesses
from support.clock import FakeClock
from support.instances import make_instance
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer
from support.servers import NAMESPACE as SHOP
from support.servers import group_manifest, server_manifest


class Cluster(MemoryCluster):
    """An API server that lists in one page."""

    async def pages(self, resource: Resource) -> AsyncIterator[ObjectList]:
        yield ObjectList(self.all(resource.kind), "1")


class Stage:
    """A Server of a group on a host of zone az1."""

    def __init__(self) -> None:
        self.cluster = Cluster(FakeClock())
        made = self.cluster.put(NAMESPACE, {"metadata": {"name": SHOP}})
        self.namespace_uid = made["metadata"]["uid"]
        group = self.cluster.put(ServerGroup.resource(), group_manifest())
        self.group_uid = group["metadata"]["uid"]
        body = server_manifest(serverGroupRef={"name": "db"})
        self.server = self.cluster.put(Server.resource(), body)
        self.cluster.put(
            ComputeHost.resource(),
            {"metadata": {"name": "hv1"}, "spec": {}, "status": {"zone": "az1"}},
        )
        instance = make_instance(name=self.server["metadata"]["uid"])
        self.cluster.put(Instance.resource(), instance)

    async def read(self) -> WitnessedClaim:
        kube: Any = self.cluster
        informers: Any = SimpleNamespace(
            instances=MemoryInformer(self.cluster, "Instance", Instance.model_validate),
            servers=MemoryInformer(self.cluster, "Server", build_server_summary),
            compute_hosts=MemoryInformer(
                self.cluster, "ComputeHost", ComputeHost.model_validate
            ),
            namespaces=MemoryInformer(
                self.cluster, "Namespace", lambda obj: str(obj["metadata"]["uid"])
            ),
        )
        ((_, witness),) = await Witnesses(kube, informers).read_all()
        return witness


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_group_zone_and_namespace_are_put_back(stage: Stage) -> None:
    witness = await stage.read()
    assert witness.server.uid == stage.server["metadata"]["uid"]
    assert witness.server.namespace_uid == stage.namespace_uid
    assert (witness.group_uid, witness.zone) == (stage.group_uid, "az1")


async def test_another_server_of_the_same_name_is_no_witness(stage: Stage) -> None:
    stage.cluster.vanish("Server", Key(SHOP, "web-0"))
    stage.cluster.put(Server.resource(), server_manifest(serverGroupRef={"name": "db"}))
    witness = await stage.read()
    assert witness.group_uid is None


async def test_a_server_whose_group_is_gone_is_put_back_without(stage: Stage) -> None:
    stage.cluster.vanish("ServerGroup", Key(SHOP, "db"))
    witness = await stage.read()
    assert witness.group_uid is None
    assert witness.server.namespace_uid == stage.namespace_uid
