"""What an Instance is a witness of, and what a sweep lives through."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from kilonova_api.flavor import FlavorSize
from kilonova_api.image import ImageFile
from kilonova_api.instance import Instance
from kilonova_api.instance_spec import (
    DestroyOrder,
    InstanceSpec,
    ServerIdentity,
    SharedHold,
)
from kilonova_api.kube.errors import KubeError, StoreWentBack
from kilonova_api.meta import ObjectMeta
from kilonova_operator.domain.refusals import (
    DatabaseUnavailable,
    DatabaseWentBack,
    HostInOtherCell,
)
from kilonova_operator.services.store_freeze import Freeze, Frozen
from kilonova_operator.services.store_sweep import (
    PROBLEM_TOPIC,
    StoreSweep,
)
from kilonova_operator.services.witnesses import build_witness
from support.clock import FakeClock

UID = "00000000-0000-4000-8000-000000000001"


def made_instance(destroy: DestroyOrder | None) -> Instance:
    spec = InstanceSpec(
        server=ServerIdentity(cluster="c", namespace="shop", name="web", uid=UID),
        cell="cell1",
        host="hv1",
        writer=1,
        placement_generation=3,
        server_generation=2,
        build_id="build-1",
        min_agent_version="0.1.0",
        power_state="Manual",
        flavor_name="m1.small",
        flavor=FlavorSize(vcpus=1, ram_mib=64),
        image_name="tiny",
        image=ImageFile(
            url="http://images/tiny", checksum="sha256:" + "0" * 64, format="raw"
        ),
        hostname="web",
        destroy=destroy,
    )
    return Instance(metadata=ObjectMeta(name=UID), spec=spec)


@pytest.mark.parametrize(
    ("reason", "deleted"),
    [
        pytest.param(None, False, id="it runs"),
        pytest.param("ServerDeleted", True, id="its Server was deleted"),
        pytest.param("ServerMoved", False, id="its Server lives on elsewhere"),
    ],
)
def test_only_a_deleted_servers_end_speaks_of_the_servers_end(
    reason: str | None, *, deleted: bool
) -> None:
    order = reason and DestroyOrder(placement_generation=3, reason=reason)
    witness = build_witness(made_instance(order or None))
    assert witness.deleted is deleted
    assert (witness.server.uid, witness.host) == (UID, "hv1")
    assert (witness.placement_generation, witness.object_generation) == (3, 2)
    assert witness.amounts == {"VCPU": 1, "MEMORY_MB": 64}


def test_what_is_taken_of_a_shared_provider_is_not_taken_of_the_host() -> None:
    instance = made_instance(None)
    flavor = FlavorSize(
        vcpus=1, ram_mib=64, root_gib=5, extra_specs={"resources:CUSTOM_KEY": "2"}
    )
    holds = (
        SharedHold(provider="aggregate:keys", resource_class="CUSTOM_KEY", amount=2),
        SharedHold(provider="aggregate:nfs", resource_class="DISK_GB", amount=5),
    )
    spec = instance.spec.model_copy(update={"flavor": flavor, "shared_amounts": holds})
    witness = build_witness(instance.model_copy(update={"spec": spec}))
    assert witness.amounts == {"VCPU": 1, "MEMORY_MB": 64}
    assert witness.shared == {
        "aggregate:keys": {"CUSTOM_KEY": 2},
        "aggregate:nfs": {"DISK_GB": 5},
    }
    assert (witness.vcpus, witness.ram_mib) == (1, 64)


async def _read_none() -> list[Any]:
    return []


class Swept:
    """A sweep that finds nothing to repair, and calls that fail as they are told."""

    def __init__(self) -> None:
        self.clock, self.freeze = FakeClock(), Freeze()
        self.freeze.note(Frozen("api", "DatabaseWentBack", "test"))
        self.problems: dict[str, str | None] = {}
        self.failures: dict[str, list[Exception]] = {}
        self.done: list[str] = []
        store: Any = SimpleNamespace(
            unfreeze=self._call("unfreeze"), repair_usages=self._repair_usages
        )
        witnesses: Any = SimpleNamespace(read_all=_read_none)
        silent_hosts: Any = SimpleNamespace(find_awaited=self._call("find_awaited"))
        term: Any = str
        self.sweep = StoreSweep(
            stores={"api": store},
            api=store,
            term=term,
            witnesses=witnesses,
            freeze=self.freeze,
            silent_hosts=silent_hosts,
            reload_hosts=self._call("reload"),
            mark_lost=self._call("mark_lost"),
            on_lifted=self._call("on_lifted"),
            note_problem=self.problems.__setitem__,
            clock=self.clock,
            random=Random(1),
            settle_seconds=0,
        )

    async def _repair_usages(self, term: object) -> tuple[()]:
        await self._call("repair_usages")(term)
        return ()

    def _call(self, name: str) -> Callable[..., Awaitable[None]]:
        async def call(*_: object) -> None:
            if failures := self.failures.get(name):
                raise failures.pop(0)
            self.done.append(name)

        return call


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(DatabaseUnavailable("api", "gone"), id="no database"),
        pytest.param(KubeError("no answer"), id="no API server"),
        pytest.param(HostInOtherCell("hv1", "cell1", "cell2"), id="a refusal"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        "reload",
        "find_awaited",
        "mark_lost",
        "repair_usages",
        "unfreeze",
        "on_lifted",
    ],
)
async def test_a_sweep_lives_through_calls_that_fail(
    call: str, error: Exception
) -> None:
    scene = Swept()
    scene.failures[call] = [error, error]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(scene.sweep.run())
        await scene.clock.advance(0)
        assert scene.problems == {PROBLEM_TOPIC: str(error)}
        assert scene.freeze.frozen is (call != "on_lifted")
        await scene.clock.advance(10)
    assert not scene.freeze.frozen
    assert scene.done[-1] == "on_lifted", "everything is looked at in any case"
    assert scene.problems == {PROBLEM_TOPIC: None}


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(DatabaseWentBack("api", "restored"), id="database"),
        pytest.param(StoreWentBack("Server list", seen=2, got=1), id="API server"),
    ],
)
async def test_a_store_that_goes_back_during_a_sweep_ends_the_process(
    error: Exception,
) -> None:
    scene = Swept()
    scene.failures["unfreeze"] = [error]
    with pytest.raises(type(error)):
        await scene.sweep.run()
    assert scene.freeze.frozen


@pytest.mark.parametrize(
    ("frozen", "marks"),
    [
        pytest.param(Frozen("api", "DatabaseWentBack", "m"), True, id="older rows"),
        pytest.param(Frozen("api", "DatabaseReplaced", "m"), True, id="other rows"),
        pytest.param(Frozen("api", "StoreWentBack", "m"), False, id="older objects"),
    ],
)
async def test_rows_are_doubted_only_where_the_database_is_older(
    frozen: Frozen, *, marks: bool
) -> None:
    scene = Swept()
    scene.freeze.note(frozen)
    await scene.sweep.run()
    assert ("mark_lost" in scene.done) is marks
