"""Mistakes and lacks on a real API server, real databases behind it."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from kilonova_api.flavor import Flavor
from kilonova_api.kube.errors import Invalid
from kilonova_api.kube.resources import SECRET, Key
from kilonova_api.names import ADOPT_ANNOTATION
from kilonova_api.network import Network
from kilonova_api.server import Server
from kilonova_lab.controlplane import ControlPlane
from support.server_stage import ServerStage, server_stage
from support.servers import NAMESPACE, flavor_manifest, network_manifest, reason_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRACE_SECONDS = 4.0
NIC = {"name": "eth0", "networkRef": {"name": "private"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServerStage]:
    folder = tmp_path_factory.mktemp("databases")
    with ControlPlane() as control_plane:
        async with server_stage(
            control_plane,
            folder,
            reference_grace_seconds=GRACE_SECONDS,
            no_valid_host_grace_seconds=GRACE_SECONDS,
        ) as made:
            await made.start_operator()
            await made.add_host("hv1")
            yield made


def stalled(reason: str) -> Any:
    return lambda server: reason_of(server, "Stalled") == reason


async def end(stage: ServerStage, *keys: Key) -> None:
    for key in keys:
        await stage.delete_server(key)
    for key in keys:
        await stage.wait_gone(key)


async def test_an_unknown_flavor_is_waited_for_then_told_then_heals(
    stage: ServerStage,
) -> None:
    key = await stage.create_server(flavorRef={"name": "late"})
    server = await stage.wait_server(
        key, lambda s: s.status.why == "WaitingForReference", "waiting"
    )
    assert "Flavor late" in server.status.conditions[0].message
    await stage.wait_server(key, stalled("FlavorNotFound"), "FlavorNotFound")
    await stage.apply(Flavor.resource(), flavor_manifest("late"))
    await stage.wait_state(key, "ACTIVE")
    await end(stage, key)


async def test_an_unknown_network_is_told_and_heals_with_its_range(
    stage: ServerStage,
) -> None:
    nic = NIC | {"networkRef": {"name": "late"}}
    key = await stage.create_server(networks=[nic])
    await stage.wait_server(key, stalled("NetworkNotFound"), "NetworkNotFound")
    network = network_manifest("late", cidr="10.31.0.0/24")
    await stage.apply(Network.resource(), network)
    server = await stage.wait_state(key, "ACTIVE")
    assert server.status.address == "10.31.0.3"
    await end(stage, key)


async def test_two_servers_with_one_address_the_second_waits_for_the_first(
    stage: ServerStage,
) -> None:
    nic = NIC | {"fixedAddress": "10.20.0.77"}
    first = await stage.create_server("a", networks=[nic])
    await stage.wait_state(first, "ACTIVE")
    second = await stage.create_server("b", networks=[nic])
    await stage.wait_server(second, stalled("AddressInUse"), "AddressInUse")
    await end(stage, first)
    server = await stage.wait_state(second, "ACTIVE", timeout_seconds=60)
    assert server.status.address == "10.20.0.77"
    await end(stage, second)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"networks": [NIC | {"fixedAddress": "10.99.0.9"}]}, "AddressOutOfRange"),
        ({"networks": [NIC | {"fixedAddress": "10.20.0.1"}]}, "AddressOutOfRange"),
        ({"userDataRef": {"name": "large", "key": "k"}}, "UserDataTooLarge"),
    ],
)
async def test_a_plain_mistake_is_told_at_once(
    stage: ServerStage, spec: dict[str, Any], reason: str
) -> None:
    large = b64encode(b"x" * 49152).decode()
    secret = {"metadata": {"name": "large", "namespace": NAMESPACE}}
    await stage.apply(SECRET, secret | {"data": {"k": large}})
    key = await stage.create_server(**spec)
    await stage.wait_server(key, stalled(reason), reason)
    await end(stage, key)


async def test_too_long_a_name_is_refused_at_the_door(stage: ServerStage) -> None:
    with pytest.raises(Invalid, match="63"):
        await stage.create_server("a" * 64)


async def test_too_long_user_data_is_refused_at_the_door(stage: ServerStage) -> None:
    with pytest.raises(Invalid, match="userData"):
        await stage.create_server(userData="x" * 49152)


async def test_a_server_that_fits_nowhere_is_parked_and_placed_once_a_host_fits(
    stage: ServerStage,
) -> None:
    huge = flavor_manifest("huge", ramMiB=32768)
    await stage.apply(Flavor.resource(), huge)
    key = await stage.create_server(flavorRef={"name": "huge"})
    server = await stage.wait_server(
        key, lambda s: reason_of(s, "Reconciling") == "NoValidHost", "NoValidHost"
    )
    record = server.status.scheduling
    assert record is not None
    assert record.hosts_considered == sum(s.hosts_removed for s in record.stages) == 1
    await stage.wait_server(key, stalled("NoValidHost"), "stalled", timeout_seconds=60)
    await stage.add_host("hv-large", memory_mib=65536)
    server = await stage.wait_state(key, "ACTIVE")
    assert server.status.host == "hv-large"
    await end(stage, key)


async def test_a_new_server_of_the_name_of_a_living_guest_is_told(
    stage: ServerStage,
) -> None:
    """The object's finalizer is taken off by a careless hand, then it is deleted."""
    key = await stage.create_server()
    server = await stage.wait_state(key, "ACTIVE")
    uuid = server.metadata.uid
    await stage.kill_operator()
    await stage.kube.remove_finalizer(
        Server.resource(),
        await stage.kube.get(Server.resource(), *key),
        "compute.kilonova.dev/server",
    )
    await stage.delete_server(key)
    await stage.wait_gone(key)
    await stage.start_operator()
    await stage.create_server()
    told = await stage.wait_server(
        key, stalled("DomainExists"), "DomainExists", timeout_seconds=60
    )
    assert uuid in told.status.conditions[0].message
    assert list(stage.domains.values()) == [True]
    await stage.annotate_server(key, ADOPT_ANNOTATION, uuid)
    adopted = await stage.wait_state(key, "ACTIVE", timeout_seconds=40)
    assert adopted.status.uuid == uuid
    assert adopted.status.address == server.status.address
    await end(stage, key)
    await stage.wait_nothing_left()
