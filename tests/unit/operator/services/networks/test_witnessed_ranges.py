"""What Instances say of networks is put back before anybody takes the ranges."""

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from kilonova_api.instance import Instance
from kilonova_operator.domain.addressing import NetworkRequest
from kilonova_operator.domain.epoch import Term
from kilonova_operator.services.networks.witnessed_ranges import (
    WitnessedRanges,
    build_range_requests,
)
from kilonova_operator.services.witnesses import build_witness
from support.fake_stores import FakeApiStore, FakeDatabase
from support.instances import make_instance

TERM = Term("api", "db-1", 1, "nonce", "super", "me")
NIC = {
    "name": "eth0",
    "networkId": "net-1",
    "network": "Network/private",
    "type": "NAT",
    "cidr": "10.128.4.0/24",
    "address": "10.128.4.3",
    "mac": "fa:16:3e:00:00:01",
    "portSecurity": True,
}
BRIDGED = NIC | {"name": "eth1", "type": "Bridge", "bridge": "br0"}


@pytest.fixture
def store() -> FakeApiStore:
    return FakeApiStore(FakeDatabase("api", term=1))


def build_instance(*nics: dict[str, Any]) -> Instance:
    manifest: Any = make_instance(host="hv1")
    manifest["spec"]["networks"] = list(nics)
    return Instance.model_validate(manifest)


async def restore(store: FakeApiStore, instance: Instance) -> list[str]:
    api: Any = store
    ranges = WitnessedRanges(api, lambda: TERM)
    witness = await ranges.restore(instance, build_witness(instance))
    return [nic.network_id for nic in witness.nics]


async def test_a_guest_is_witness_of_its_tenants_range(store: FakeApiStore) -> None:
    instance = build_instance(NIC)
    assert await restore(store, instance) == ["net-1"]
    assert store.networks["net-1"].cidr == IPv4Network("10.128.4.0/24")
    namespace = instance.spec.server.namespace
    assert store.network_names["net-1"] == f"Network {namespace}/private"


async def test_a_guest_is_no_witness_of_the_admins_network(store: FakeApiStore) -> None:
    assert await restore(store, build_instance(BRIDGED)) == ["net-1"]
    assert store.networks == {}


async def test_addresses_are_put_back_under_the_id_that_holds_the_range(
    store: FakeApiStore,
) -> None:
    instance = build_instance(NIC)
    (request,) = build_range_requests(instance)
    await store.ensure_network(TERM, replace(request, network_id="net-9"))
    assert await restore(store, instance) == ["net-9"]


async def test_a_range_that_others_have_now_stops_no_sweep(
    store: FakeApiStore, caplog: pytest.LogCaptureFixture
) -> None:
    thief = NetworkRequest(
        "net-9", "NAT", "Network x/y", cidr=IPv4Network("10.128.0.0/16")
    )
    await store.ensure_network(TERM, thief)
    assert await restore(store, build_instance(NIC)) == ["net-1"]
    assert "10.128.4.0/24" in caplog.text
