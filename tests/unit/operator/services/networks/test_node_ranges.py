"""What Nodes use is no tenant's, from the moment they are there."""

from ipaddress import IPv4Network

import pytest

from kilonova_api.network import Network
from kilonova_operator.domain.hosts.nodes import NodeSummary, build_node_summary
from kilonova_operator.domain.networks.requests import (
    RangeForbidden,
    build_network_request,
)
from kilonova_operator.services.networks.node_ranges import NodeRanges
from kilonova_operator.services.networks.wiring import build_range_policy
from kilonova_operator.settings import Settings
from support.servers import make_network


def node(number: int) -> NodeSummary:
    address = {"type": "InternalIP", "address": f"192.0.2.{number}"}
    return build_node_summary(
        {
            "metadata": {"name": f"hv{number}", "uid": f"u{number}"},
            "spec": {"podCIDR": f"10.244.{number}.0/24"},
            "status": {"addresses": [address]},
        }
    )


def asked(cidr: str) -> Network:
    return make_network(ready=False, cidr=cidr)


def test_nodes_come_and_go_and_their_neighbours_are_put_together() -> None:
    nodes = [node(2), node(3)]
    ranges = NodeRanges(lambda: nodes)
    assert [str(range_) for range_ in ranges.find()] == [
        "10.244.2.0/23",
        "192.0.2.2/31",
    ]
    nodes.append(node(9))
    assert IPv4Network("192.0.2.9/32") in ranges.find()
    nodes.clear()
    assert ranges.find() == ()


@pytest.mark.parametrize("cidr", ["192.0.2.0/24", "10.244.3.0/29"])
def test_a_network_over_a_node_or_its_pods_is_forbidden(cidr: str) -> None:
    nodes = NodeRanges(lambda: [node(3)])
    settings = Settings.model_construct(
        network_pool=IPv4Network("10.128.0.0/12"),
        network_pool_prefix=24,
        forbidden_ranges=(IPv4Network("10.96.0.0/16"),),
    )
    policy = build_range_policy(settings, nodes.find())
    with pytest.raises(RangeForbidden, match="belongs to nodes"):
        build_network_request(asked(cidr), policy)
    with pytest.raises(RangeForbidden):
        build_network_request(asked("10.96.3.0/24"), policy)
    assert build_network_request(asked("10.50.0.0/24"), policy).cidr is not None
