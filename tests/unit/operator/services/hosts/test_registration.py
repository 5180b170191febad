"""A Node gets account, namespace and rights, again and again, and only its own."""

from typing import Any, cast

import pytest

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.errors import Call, NotFound
from kilonova_api.kube.resources import (
    NAMESPACE,
    Key,
    KubeObject,
    Resource,
)
from kilonova_api.names import HOSTS_NAMESPACE, host_namespace
from kilonova_operator.services.hosts.registration import (
    HostNamespaceTaken,
    HostRegistrar,
    RightsPolicy,
)
from support.clock import FakeClock
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer

HOST = "hv1"
MAILBOX = host_namespace(HOST)
RIGHTS = RightsPolicy("agent", "conductor", ("kilonova-system", "kilonova-operator"))
OBJECTS = {
    ("Namespace", Key("", MAILBOX)),
    ("ServiceAccount", Key(HOSTS_NAMESPACE, HOST)),
    ("RoleBinding", Key(MAILBOX, "kilonova-agent")),
    ("RoleBinding", Key(MAILBOX, "kilonova-conductor")),
}


class Cluster(MemoryCluster):
    """An API server that refuses accounts in a namespace that is not there."""

    async def create(self, resource: Resource, body: Any, **options: Any) -> KubeObject:
        namespace = body["metadata"].get("namespace")
        if namespace and ("Namespace", Key("", namespace)) not in self.objects:
            name = body["metadata"]["name"]
            raise NotFound(Call.on("create", resource, namespace, name))
        return await super().create(resource, body, **options)


class Stage:
    def __init__(self) -> None:
        self.cluster = Cluster(FakeClock())
        self.registrar = self.start()

    def start(self) -> HostRegistrar:
        """Give the registrar of a new process."""
        informers = {
            "host_accounts": MemoryInformer(self.cluster, "ServiceAccount", _uid),
            "host_namespaces": MemoryInformer(self.cluster, "Namespace", _uid),
            "compute_hosts": MemoryInformer(self.cluster, "ComputeHost", _uid),
        }
        kube: Any = self.cluster
        return HostRegistrar(kube, cast("Any", type("I", (), informers)()), RIGHTS)

    @property
    def objects(self) -> set[tuple[str, Key]]:
        return set(self.cluster.objects) - {("Namespace", Key("", HOSTS_NAMESPACE))}


def _uid(obj: KubeObject) -> str:
    return str(obj["metadata"]["uid"])


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_host_gets_everything_though_nothing_is_there(stage: Stage) -> None:
    await stage.registrar.ensure(HOST)
    assert stage.objects == OBJECTS
    assert ("Namespace", Key("", HOSTS_NAMESPACE)) in stage.cluster.objects


async def test_the_rights_go_to_the_hosts_own_account_and_to_the_operator(
    stage: Stage,
) -> None:
    await stage.registrar.ensure(HOST)
    bound = {
        (obj["roleRef"]["name"], subject["namespace"], subject["name"])
        for obj in stage.cluster.all("RoleBinding")
        for subject in obj["subjects"]
    }
    assert bound == {
        ("agent", HOSTS_NAMESPACE, HOST),
        ("conductor", "kilonova-system", "kilonova-operator"),
    }


async def test_a_second_look_writes_nothing(stage: Stage) -> None:
    await stage.registrar.ensure(HOST)
    written = len(stage.cluster.writes)
    await stage.registrar.ensure(HOST)
    stage.registrar.look_again()
    await stage.registrar.ensure(HOST)
    await stage.start().ensure(HOST)
    assert stage.cluster.writes[written:] == []


@pytest.mark.parametrize("lost", sorted(OBJECTS), ids=lambda lost: f"{lost[0]}")
async def test_what_a_careless_hand_removed_is_made_again(
    stage: Stage, lost: tuple[str, Key]
) -> None:
    await stage.registrar.ensure(HOST)
    stage.cluster.vanish(*lost)
    if lost[0] == "Namespace":  # what was in it goes with it
        for kind, key in [o for o in stage.objects if o[1].namespace == MAILBOX]:
            stage.cluster.vanish(kind, key)
    stage.registrar.look_again()
    await stage.registrar.ensure(HOST)
    assert stage.objects == OBJECTS


async def test_a_new_namespace_gets_its_rights_without_a_second_look(
    stage: Stage,
) -> None:
    await stage.registrar.ensure(HOST)
    for kind, key in [o for o in stage.objects if o[1].namespace == MAILBOX]:
        stage.cluster.vanish(kind, key)
    stage.cluster.vanish("Namespace", Key("", MAILBOX))
    await stage.registrar.ensure(HOST)
    assert stage.objects == OBJECTS


async def test_a_namespace_that_somebody_else_made_gets_no_rights(stage: Stage) -> None:
    kube: Any = stage.cluster
    registrar = HostRegistrar(kube, _blind_informers(), RIGHTS)
    stage.cluster.put(NAMESPACE, {"metadata": {"name": MAILBOX}})
    with pytest.raises(HostNamespaceTaken, match=f"{MAILBOX} exists and is not ours"):
        await registrar.ensure(HOST)
    assert stage.cluster.all("RoleBinding") == []


async def test_a_race_with_another_creator_is_no_error(stage: Stage) -> None:
    await stage.registrar.ensure(HOST)
    kube: Any = stage.cluster
    await HostRegistrar(kube, _blind_informers(), RIGHTS).ensure(HOST)
    assert stage.objects == OBJECTS


async def test_a_compute_host_is_made_once_and_never_overwritten(stage: Stage) -> None:
    assert await stage.registrar.ensure_compute_host(HOST)
    assert not await stage.registrar.ensure_compute_host(HOST)
    kube: Any = stage.cluster
    assert not await HostRegistrar(
        kube, _blind_informers(), RIGHTS
    ).ensure_compute_host(HOST)
    made = [w for w in stage.cluster.writes if ComputeHost.__name__ in w]
    assert len(made) == 2, "the informer was asked first, the API server second"


def _blind_informers() -> Any:
    """Informers that lag behind: they show nothing yet."""
    nothing = type("Nothing", (), {"find": lambda self, key: None})()
    names = ("host_accounts", "host_namespaces", "compute_hosts")
    return type("I", (), dict.fromkeys(names, nothing))()
