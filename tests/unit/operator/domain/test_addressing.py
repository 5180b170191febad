"""Ranges and the addresses in them."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova_operator.domain.addressing import (
    AddressPool,
    NetworkRequest,
    build_range,
    cut_out,
    find_free_range,
    is_givable,
)

NAT = NetworkRequest("net", "NAT", "Network shop/x")
networks = st.builds(
    lambda octets, length: IPv4Network((octets, length), strict=False),
    st.integers(0x0A000000, 0x0A00FFFF),
    st.integers(18, 30),
)


@pytest.mark.parametrize(
    ("cidr", "total"),
    [("10.0.0.0/24", 252), ("10.0.0.0/29", 4), ("10.0.0.0/8", 2**24 - 4)],
)
def test_nat_keeps_the_gateway_and_one_more_for_the_host(cidr: str, total: int) -> None:
    range_ = build_range(NAT, IPv4Network(cidr))
    assert range_.addresses_total == total
    assert str(range_.gateway) == "10.0.0.1"
    refused = ["10.0.0.0", "10.0.0.1", "10.0.0.2", str(range_.cidr[-1]), "11.0.0.9"]
    assert not any(is_givable(range_, IPv4Address(address)) for address in refused)
    assert is_givable(range_, IPv4Address("10.0.0.3"))


def test_a_bridge_has_its_own_gateway_and_the_second_address_is_free() -> None:
    request = NetworkRequest(
        "net",
        "Bridge",
        "ClusterNetwork x",
        bridge="br0",
        gateway=IPv4Address("192.0.2.1"),
    )
    range_ = build_range(request, IPv4Network("192.0.2.0/29"))
    assert range_.addresses_total == 5
    assert is_givable(range_, IPv4Address("192.0.2.2"))
    assert not is_givable(range_, IPv4Address("192.0.2.1"))


def test_a_bridge_without_gateway_gives_every_address() -> None:
    request = NetworkRequest("net", "Bridge", "ClusterNetwork x", bridge="br0")
    range_ = build_range(request, IPv4Network("192.0.2.0/29"))
    assert (range_.gateway, range_.addresses_total) == (None, 6)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 40))
def test_cutting_an_address_out_takes_that_one_alone(
    first: int, more: int, address: int
) -> None:
    pool = AddressPool(IPv4Address(first), IPv4Address(first + more))
    kept = cut_out([pool], IPv4Address(address))
    left = {a for p in kept for a in range(int(p.first), int(p.last) + 1)}
    assert left == set(range(first, first + more + 1)) - {address}


@given(st.lists(networks, max_size=12), st.integers(20, 28))
def test_a_free_range_is_the_lowest_that_overlaps_nothing(
    taken: list[IPv4Network], length: int
) -> None:
    pool = IPv4Network("10.0.0.0/18")
    by_hand = next(
        (c for c in pool.subnets(new_prefix=length) if not any(map(c.overlaps, taken))),
        None,
    )
    assert find_free_range(pool, length, taken) == by_hand
