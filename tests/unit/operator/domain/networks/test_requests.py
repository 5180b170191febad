"""What a network may ask for."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from kilonova_api.network import ClusterNetwork, Network
from kilonova_operator.domain.networks.requests import (
    RangeForbidden,
    RangeInvalid,
    RangePolicy,
    build_cluster_network_request,
    build_network_request,
)

POLICY = RangePolicy(
    pool=IPv4Network("10.128.0.0/12"),
    pool_prefix=24,
    forbidden=(IPv4Network("10.96.0.0/16"), IPv4Network("10.244.0.0/16")),
)


def build_network(cidr: str | None) -> Network:
    spec = {"type": "NAT"} | ({"cidr": cidr} if cidr else {})
    metadata = {"name": "private", "namespace": "shop", "uid": "net-1"}
    return Network.model_validate({"metadata": metadata, "spec": spec})


def build_cluster_network(**fields: Any) -> ClusterNetwork:
    spec = {"type": "Bridge", "bridge": "br0", "cidr": "192.0.2.0/24", **fields}
    metadata = {"name": "lan", "uid": "net-2"}
    return ClusterNetwork.model_validate({"metadata": metadata, "spec": spec})


def test_a_network_without_a_range_gets_one_from_the_pool() -> None:
    request = build_network_request(build_network(None), POLICY)
    assert (request.cidr, request.pool) == (None, POLICY.pool)
    assert request.name == "Network shop/private"
    assert request.network_id == "net-1"


@pytest.mark.parametrize(
    "cidr", ["10.96.4.0/24", "10.0.0.0/8", "127.0.0.0/24", "169.254.0.0/16"]
)
def test_a_tenants_range_over_nodes_pods_or_services_is_forbidden(cidr: str) -> None:
    with pytest.raises(RangeForbidden, match=cidr):
        build_network_request(build_network(cidr), POLICY)


def test_a_range_with_host_bits_names_the_one_that_is_meant() -> None:
    with pytest.raises(RangeInvalid, match=r"10\.20\.0\.0/24 is probably meant"):
        build_network_request(build_network("10.20.0.7/24"), POLICY)


def test_an_admins_range_may_be_that_of_the_nodes() -> None:
    request = build_cluster_network_request(build_cluster_network(cidr="10.96.0.0/24"))
    assert request.cidr == IPv4Network("10.96.0.0/24")
    assert request.forbidden == ()


def test_a_gateway_and_pools_within_the_range_are_taken_over() -> None:
    request = build_cluster_network_request(
        build_cluster_network(
            gateway="192.0.2.1",
            allocationPools=[{"start": "192.0.2.10", "end": "192.0.2.20"}],
        )
    )
    assert request.gateway == IPv4Address("192.0.2.1")
    assert request.allocation_pools[0].last == IPv4Address("192.0.2.20")


@pytest.mark.parametrize(
    "fields",
    [
        {"gateway": "198.51.100.1"},
        {"allocationPools": [{"start": "192.0.2.10", "end": "192.0.3.20"}]},
        {"allocationPools": [{"start": "192.0.2.20", "end": "192.0.2.10"}]},
    ],
)
def test_what_lies_outside_of_the_range_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RangeInvalid, match="ClusterNetwork lan"):
        build_cluster_network_request(build_cluster_network(**fields))
