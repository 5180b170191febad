"""Which addresses images may come from."""

import sys
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from kilonova_agent.domain.faults import InvalidUrl
from kilonova_agent.storage.images.address_policy import AddressPolicy, split_url
from kilonova_agent.storage.images.http_source import is_own_address
from kilonova_agent.storage.images.node_link import NodeLink

POLICY = AddressPolicy(
    forbidden=[ip_network("10.96.0.0/16"), ip_network("10.244.0.0/16")],
    allowed=[ip_network("10.96.7.0/24")],
)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "169.254.169.254",
        "10.96.0.1",
        "10.244.3.4",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.96.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
    ],
)
def test_addresses_of_host_link_and_cluster_are_refused(address: str) -> None:
    with pytest.raises(InvalidUrl):
        POLICY.check(address, host="images.example.org")


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "192.168.7.7", "10.1.2.3", "2606:2800::1", "10.96.7.9"]
)
def test_other_addresses_and_allowed_ones_pass(address: str) -> None:
    POLICY.check(address, host="images.example.org")


def test_the_refusal_names_host_address_and_cure() -> None:
    with pytest.raises(InvalidUrl, match=r"evil\.test \(10\.96\.0\.1\).*allowedRanges"):
        POLICY.check("10.96.0.1", host="evil.test")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/shadow",
        "ftp://example.org/x",
        "http://user:secret@example.org/x",
        "http:///x",
        "http://[::1/x",
        "http://example.org:99999/x",
        "//example.org/x",
    ],
)
def test_urls_that_are_not_plain_http_are_refused(url: str) -> None:
    with pytest.raises(InvalidUrl) as refused:
        split_url(url)
    assert "secret" not in str(refused.value)


def test_this_hosts_own_addresses_are_known_without_asking_anybody() -> None:
    assert is_own_address(ip_address("127.0.0.1"))
    assert not is_own_address(ip_address("192.0.2.1"))


def test_the_nodes_link_is_refused_unless_an_admin_allows_it(tmp_path: Path) -> None:
    policy = AddressPolicy(
        allowed=[ip_network("192.0.2.128/25")],
        is_neighbour=build_link(tmp_path, "192.0.2.7").has,
    )
    with pytest.raises(InvalidUrl, match="where nodes are"):
        policy.check("192.0.2.9", host="neighbour")
    policy.check("192.0.2.130", host="mirror")
    policy.check("198.51.100.9", host="images")


ROUTES = """Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0  00000000 010200C0 0003 0 0 0 00000000 0 0 0
tun0  00000000 00000000 0001 0 0 9 00000000 0 0 0
eth0  000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0
eth1  006433C6 00000000 0001 0 0 0 00FFFFFF 0 0 0
eth0  000200C0 010200C0 0003 0 0 0 0000FFFF 0 0 0
*     00000000 00000000 0201 0 0 7 000000E0 0 0 0
"""
ROUTES_V6 = f"""{"fd" + "0" * 30} 40 {"0" * 32} 00 {"0" * 32} 100 1 0 00000001 eth0
{"0" * 32} 00 {"0" * 32} 00 {"fd" + "0" * 29 + "1"} 400 3 0 00000003 eth0
"""


def build_link(folder: Path, node_ip: str) -> NodeLink:
    (folder / "route").write_text(ROUTES)
    (folder / "ipv6_route").write_text(ROUTES_V6)
    return NodeLink(ip_address(node_ip) if node_ip else None, proc=folder)


@pytest.mark.skipif(sys.byteorder == "big", reason="the file is of a small-endian host")
@pytest.mark.parametrize(
    ("node_ip", "address", "neighbours"),
    [
        pytest.param("192.0.2.7", "192.0.2.7", True, id="itself"),
        pytest.param("192.0.2.7", "192.0.2.200", True, id="its link"),
        pytest.param("192.0.2.7", "192.0.3.1", False, id="behind a gateway"),
        pytest.param("192.0.2.7", "198.51.100.1", False, id="another link"),
        pytest.param("203.0.113.7", "203.0.113.7", True, id="a link of one"),
        pytest.param("203.0.113.7", "203.0.113.8", False, id="beside a link of one"),
        pytest.param("fd00::7", "fd00::9", True, id="IPv6"),
        pytest.param("fd00::7", "fd01::9", False, id="IPv6 behind a gateway"),
        pytest.param("192.0.2.7", "fd00::9", False, id="another family"),
        pytest.param("", "192.0.2.9", False, id="not told"),
    ],
)
def test_neighbours_are_reached_without_a_gateway(
    tmp_path: Path, node_ip: str, address: str, *, neighbours: bool
) -> None:
    link = build_link(tmp_path, node_ip)
    assert link.has(ip_address(address)) is neighbours


def test_a_host_without_routes_of_a_family_has_no_neighbours(tmp_path: Path) -> None:
    link = NodeLink(ip_address("fd00::7"), proc=tmp_path)
    assert not link.has(ip_address("fd00::9"))


def test_the_kernels_own_routes_are_understood() -> None:
    for node_ip in ("192.0.2.7", "2001:db8::7"):
        link = NodeLink(ip_address(node_ip))
        assert link.has(ip_address(node_ip))
        assert not link.has(ip_address("198.51.100.1"))
        assert not link.has(ip_address("2001:db8:1::1"))
