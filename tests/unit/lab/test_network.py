"""Addresses and routes of a lab, before any of them exists."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml

from kilonova_lab import network
from kilonova_lab.addresses import SLOTS, AddressPlan, build_node_range
from kilonova_lab.folders import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
PLAN = AddressPlan(7, IPv4Network("10.244.0.0/16"), IPv4Network("10.96.0.0/16"))


def test_every_lab_has_a_range_for_its_nodes_that_no_other_has() -> None:
    ranges = [build_node_range(slot) for slot in range(SLOTS)]
    assert len(set(ranges)) == SLOTS
    assert not any(r.overlaps(PLAN.pod_range) for r in ranges)
    assert not any(r.overlaps(closed) for r in ranges for closed in PLAN.closed_ranges)


def test_nodes_router_and_machine_never_share_an_address() -> None:
    taken = [PLAN.gateway, PLAN.machine, *map(PLAN.get_node_address, range(8))]
    assert len(set(taken)) == 10
    assert all(address in PLAN.node_range for address in taken)


def test_pods_of_a_node_are_a_part_of_the_clusters_pods() -> None:
    parts = [PLAN.get_pod_range(index) for index in range(8)]
    assert all(part.subnet_of(PLAN.pod_range) for part in parts)
    assert len(set(parts)) == 8


def test_the_router_has_no_way_out() -> None:
    lines = network.build_router_script(PLAN, 3).splitlines()
    defaults = [line for line in lines if " default" in line]
    assert defaults == ["ip route add unreachable default table 77"]


@pytest.mark.parametrize(
    "closed",
    [
        *("10.77.7.0/24", "10.244.0.0/16", "10.96.0.0/16"),
        *("10.88.0.0/16", "10.89.0.0/16", "10.20.0.0/16"),
    ],
)
def test_the_router_ends_packets_for_what_is_not_there_in(closed: str) -> None:
    script = network.build_router_script(PLAN, 3)
    assert f"ip route add unreachable {closed} metric" in script


@pytest.mark.parametrize("example", sorted(EXAMPLES.rglob("*.yaml")), ids=str)
def test_the_networks_of_an_example_are_in_a_range_that_the_router_closes(
    example: Path,
) -> None:
    for document in yaml.safe_load_all(example.read_text()):
        cidr = document["spec"].get("cidr") if "spec" in document else None
        if cidr is not None:
            inside = IPv4Network(cidr)
            assert any(map(inside.subnet_of, PLAN.closed_ranges)), cidr


def test_only_hypervisor_hosts_are_on_the_guests_lan() -> None:
    with_lan = network.build_link_script("hv1", 1, pid=7, with_lan=True)
    without = network.build_link_script("cp", 0, pid=7, with_lan=False)
    assert "hv1-lan" in with_lan
    assert "-lan" not in without
    assert "br-lan" not in network.build_node_script(PLAN, 0, with_lan=False)
