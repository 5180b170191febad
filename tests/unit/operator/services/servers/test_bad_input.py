"""Each mistake ends in a condition that says what to do, or heals by itself."""

from typing import Any

import pytest

from kilonova_api.flavor import Flavor
from kilonova_api.image import Image
from kilonova_api.kube.resources import SECRET, Key
from kilonova_api.network import Network
from kilonova_api.server_status import Fault
from support.server_lab import ServerLab
from support.servers import (
    NAMESPACE,
    condition,
    flavor_manifest,
    image_manifest,
    network_manifest,
    network_status,
    reason_of,
)

NIC = {"name": "eth0", "networkRef": {"name": "private"}}
SECRET_REF = {"name": "s", "key": "k"}


def why(lab: ServerLab, key: Key) -> tuple[str | None, str | None, str | None]:
    """Reasons of Reconciling and Stalled, and the column WHY."""
    server = lab.server(key)
    ready = reason_of(server)
    assert server.status.why == (None if ready == "Running" else ready)
    return (
        reason_of(server, "Reconciling"),
        reason_of(server, "Stalled"),
        server.status.why,
    )


def secret(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "s", "namespace": NAMESPACE}, "data": data}


MISSING = [
    pytest.param(
        {"flavorRef": {"name": "x"}},
        "FlavorNotFound",
        lambda lab: lab.cluster.put(Flavor.resource(), flavor_manifest("x")),
        id="flavor",
    ),
    pytest.param(
        {"imageRef": {"name": "x"}},
        "ImageNotFound",
        lambda lab: lab.cluster.put(Image.resource(), image_manifest("x")),
        id="image",
    ),
    pytest.param(
        {"networks": [NIC | {"networkRef": {"name": "x"}}]},
        "NetworkNotFound",
        lambda lab: lab.cluster.put(
            Network.resource(), network_manifest("x") | {"status": network_status()}
        ),
        id="network",
    ),
    pytest.param(
        {"userDataRef": SECRET_REF},
        "SecretNotFound",
        lambda lab: lab.cluster.put(SECRET, secret(k="aGk=")),
        id="secret",
    ),
]


@pytest.mark.parametrize(("spec", "reason", "heal"), MISSING)
async def test_what_is_missing_is_waited_for_then_told_then_heals(
    spec: dict[str, Any], reason: str, heal: Any
) -> None:
    lab = ServerLab()
    key = lab.create_server(**spec)
    await lab.run(seconds=50)
    waiting = "WaitingForReference"
    assert why(lab, key) == (waiting, None, waiting)
    named = next(iter(spec.values()))
    assert "x" in lab.server(key).status.conditions[0].message or named is SECRET_REF
    await lab.run(seconds=20)
    assert why(lab, key) == (None, reason, reason)
    writes = len(lab.cluster.writes)
    await lab.run(seconds=600)
    assert len(lab.cluster.writes) == writes, "waiting costs no write"
    heal(lab)
    await lab.run(seconds=31)
    assert why(lab, key) == (None, None, None)
    assert list(lab.domains.values()) == [True]


def odd_flavor(lab: ServerLab) -> None:
    odd = flavor_manifest(extraSpecs={"hw:cpu_polcy": "dedicated"})
    lab.cluster.put(Flavor.resource(), odd)


LOST = [
    pytest.param(
        "FlavorNotFound",
        lambda lab: lab.cluster.vanish("Flavor", Key("", "m1.tiny")),
        lambda lab: lab.cluster.put(Flavor.resource(), flavor_manifest()),
        id="flavor",
    ),
    pytest.param(
        "ImageNotFound",
        lambda lab: lab.cluster.vanish("Image", Key(NAMESPACE, "tiny")),
        lambda lab: lab.cluster.put(Image.resource(), image_manifest()),
        id="image",
    ),
    pytest.param(
        "NetworkNotFound",
        lambda lab: lab.cluster.vanish("Network", Key(NAMESPACE, "private")),
        lambda lab: lab.cluster.put(
            Network.resource(), network_manifest() | {"status": network_status()}
        ),
        id="network",
    ),
    pytest.param(
        "SecretNotFound",
        lambda lab: lab.cluster.vanish("Secret", Key(NAMESPACE, "s")),
        lambda lab: lab.cluster.put(SECRET, secret(k="aGk=")),
        id="secret",
    ),
    pytest.param(
        "UnknownExtraSpec",
        odd_flavor,
        lambda lab: lab.cluster.put(Flavor.resource(), flavor_manifest(extraSpecs={})),
        id="extra spec",
    ),
]


@pytest.mark.parametrize(("reason", "lose", "heal"), LOST)
async def test_a_failed_build_whose_reference_went_says_so_and_heals(
    reason: str, lose: Any, heal: Any
) -> None:
    lab = ServerLab()
    lab.cluster.put(SECRET, secret(k="aGk="))
    lab.fault = lambda _: Fault(reason="DiskFull", message="full", retryable=True)
    key = lab.create_server(userDataRef=SECRET_REF)
    while not lab.instances():
        await lab.step()
    lose(lab)
    await lab.run(seconds=70)
    assert why(lab, key) == (None, reason, reason)
    assert lab.server(key).status.placement_generation == 1
    uid = lab.server(key).metadata.uid
    decisions = list(lab.api.decisions[uid])
    writes = len(lab.cluster.writes)
    await lab.run(seconds=300)
    assert len(lab.cluster.writes) == writes, "waiting costs no write"
    assert lab.api.decisions[uid] == decisions, "nor a row"
    lab.fault = lambda _: None
    heal(lab)
    await lab.run(seconds=40)
    assert why(lab, key) == (None, None, None)
    assert list(lab.domains.values()) == [True]
    assert len(lab.api.claims) == 1


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"networks": [NIC | {"fixedAddress": "10.21.0.9"}]}, "AddressOutOfRange"),
        ({"userData": "ä" * 30000}, "UserDataTooLarge"),
        ({"sshKeys": [{"name": "a", "publicKey": "nonsense"}]}, "InvalidPublicKey"),
    ],
)
async def test_a_plain_mistake_is_told_at_once(
    spec: dict[str, Any], reason: str
) -> None:
    lab = ServerLab()
    key = lab.create_server(**spec)
    await lab.run(seconds=1)
    assert why(lab, key) == (None, reason, reason)
    assert lab.domains == {}


async def test_an_extra_spec_that_nobody_understands_is_refused() -> None:
    lab = ServerLab()
    spec = {"extraSpecs": {"hw:watchdog_action": "reset"}}
    lab.cluster.put(Flavor.resource(), flavor_manifest("odd", **spec))
    key = lab.create_server(flavorRef={"name": "odd"})
    await lab.run(seconds=1)
    assert why(lab, key) == (None, "UnsupportedExtraSpec", "UnsupportedExtraSpec")


async def test_an_image_that_needs_a_larger_flavor_says_so() -> None:
    lab = ServerLab()
    lab.cluster.put(Image.resource(), image_manifest("big", minDiskGiB=20))
    key = lab.create_server(imageRef={"name": "big"})
    await lab.run(seconds=1)
    assert why(lab, key) == (None, "FlavorDiskTooSmall", "FlavorDiskTooSmall")


async def test_a_network_whose_range_is_in_use_passes_its_reason_on() -> None:
    lab = ServerLab()
    status = {"conditions": [condition("Ready", "False", "RangeInUse", "overlaps")]}
    lab.cluster.put(Network.resource(), network_manifest("x") | {"status": status})
    nic = NIC | {"networkRef": {"name": "x"}}
    key = lab.create_server(networks=[nic])
    await lab.run(seconds=61)
    assert why(lab, key) == (None, "RangeInUse", "RangeInUse")


async def test_of_two_servers_with_one_address_the_second_is_told() -> None:
    lab = ServerLab()
    nic = NIC | {"fixedAddress": "10.20.0.9"}
    first = lab.create_server("a", networks=[nic])
    await lab.run(seconds=1)
    second = lab.create_server("b", networks=[nic])
    await lab.run(seconds=1)
    assert lab.server(first).status.address == "10.20.0.9"
    assert why(lab, second) == (None, "AddressInUse", "AddressInUse")
    lab.delete_server(first)
    await lab.run(seconds=40)
    assert lab.server(second).status.address == "10.20.0.9"


async def test_no_valid_host_says_why_by_counts_and_is_placed_when_one_fits() -> None:
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    lab.set_room("hv1", 32)
    lab.set_room("hv2", 32)
    lab.set_host_state("hv3", "Down")
    key = lab.create_server()
    await lab.run(seconds=100)
    assert why(lab, key) == ("NoValidHost", None, "NoValidHost")
    await lab.run(seconds=30)
    assert why(lab, key) == (None, "NoValidHost", "NoValidHost")
    server = lab.server(key)
    assert server.status.state == "BUILD"
    record = server.status.scheduling
    assert record is not None
    assert (record.hosts_considered, record.hosts_left) == (3, 0)
    assert sum(s.hosts_removed for s in record.stages) == 3
    assert lab.api.mappings[server.metadata.uid].cell == "cell0"
    writes = len(lab.cluster.writes)
    await lab.run(seconds=600)
    assert len(lab.cluster.writes) == writes, "waiting costs no write"

    lab.set_host_state("hv3", "Up")
    await lab.run(seconds=1)
    assert lab.server(key).status.host == "hv3"
    assert why(lab, key) == (None, None, None)


async def test_a_parked_server_is_deleted_at_once() -> None:
    lab = ServerLab(hosts=())
    key = lab.create_server()
    await lab.run(seconds=1)
    lab.delete_server(key)
    await lab.run(seconds=1)
    assert lab.find_server(key) is None
    assert lab.api.mappings == {}


async def test_a_server_without_references_is_deleted_at_once() -> None:
    lab = ServerLab()
    key = lab.create_server(flavorRef={"name": "x"})
    await lab.run(seconds=1)
    lab.delete_server(key)
    await lab.run(seconds=1)
    assert lab.find_server(key) is None


async def test_without_the_admission_policy_we_set_the_finalizer_first() -> None:
    lab = ServerLab()
    lab.cluster.sets_finalizers = False
    key = lab.create_server()
    await lab.run(seconds=1)
    assert lab.cluster.writes[0] == "patch Server web-0"
    assert lab.server(key).metadata.finalizers
    assert list(lab.domains.values()) == [True]
