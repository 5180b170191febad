"""Ranges of networks."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from kilonova_operator.domain.addressing import AddressPool, NetworkRequest
from kilonova_operator.domain.placement import ClaimRequest, NicRequest
from kilonova_operator.domain.refusals import (
    AddressInUse,
    NetworkInUse,
    NoAddressLeft,
    PoolExhausted,
    RangeInUse,
)
from support.databases import Databases, made_claim
from support.store_contract.epoch import prepare_host

POOL = IPv4Network("10.128.0.0/22")
SERVICES = IPv4Network("10.128.1.0/25")


def nat(number: int, cidr: str | None = None) -> NetworkRequest:
    return NetworkRequest(
        network_id=f"net-{number}",
        type="NAT",
        name=f"Network shop/net-{number}",
        cidr=None if cidr is None else IPv4Network(cidr),
        pool=POOL,
        forbidden=(SERVICES,),
    )


def bridge(number: int, name: str, cidr: str) -> NetworkRequest:
    return NetworkRequest(
        network_id=f"net-{number}",
        type="Bridge",
        name=f"ClusterNetwork net-{number}",
        cidr=IPv4Network(cidr),
        bridge=name,
        gateway=IPv4Address("192.0.2.1"),
        forbidden=(IPv4Network("192.0.2.0/24"),),
        allocation_pools=(
            AddressPool(IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")),
        ),
    )


async def test_ranges_come_from_the_pool_and_avoid_what_is_forbidden(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    given = [await store.ensure_network(term, nat(n)) for n in range(3)]
    assert [str(range_.cidr) for range_ in given] == [
        "10.128.0.0/24",
        "10.128.2.0/24",
        "10.128.3.0/24",
    ]
    assert str(given[0].gateway) == "10.128.0.1"
    assert given[0].addresses_total == 252
    with pytest.raises(PoolExhausted, match=r"10\.128\.0\.0/22"):
        await store.ensure_network(term, nat(3))
    await store.release_network(term, "net-1")
    assert str((await store.ensure_network(term, nat(3))).cidr) == "10.128.2.0/24"


async def test_a_network_keeps_its_range(databases: Databases) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    first = await store.ensure_network(term, nat(1))
    assert await store.ensure_network(term, nat(1)) == first
    assert await store.find_network("net-1") == first
    assert await store.find_network("net-2") is None


@pytest.mark.parametrize(
    ("cidr", "holder"),
    [
        pytest.param("10.0.0.0/24", "Network shop/net-1", id="the same"),
        pytest.param("10.0.0.128/25", "Network shop/net-1", id="within"),
        pytest.param("10.0.0.0/16", "Network shop/net-1", id="around"),
        pytest.param("10.128.1.0/24", "nodes, Pods or Services", id="forbidden"),
    ],
)
async def test_a_range_in_use_is_refused(
    databases: Databases, cidr: str, holder: str
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await store.ensure_network(term, nat(1, "10.0.0.0/24"))
    with pytest.raises(RangeInUse, match=holder):
        await store.ensure_network(term, nat(2, cidr))
    assert await store.find_network("net-2") is None


async def test_bridges_may_share_a_range_only_if_they_are_different_bridges(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await store.ensure_network(term, bridge(1, "br-a", "192.0.2.0/24"))
    await store.ensure_network(term, bridge(2, "br-b", "192.0.2.0/24"))
    with pytest.raises(RangeInUse):
        await store.ensure_network(term, bridge(3, "br-a", "192.0.2.0/25"))
    with pytest.raises(RangeInUse):
        await store.ensure_network(term, nat(4, "192.0.2.0/24"))


async def test_a_bridge_gives_its_pools_and_any_fixed_address_but_the_gateway(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term)
    range_ = await store.ensure_network(term, bridge(1, "br-a", "192.0.2.0/24"))
    assert range_.addresses_total == 1
    free = await store.claim(term, made_claim(1, nics=(NicRequest("eth0", "net-1"),)))
    fixed = NicRequest("eth0", "net-1", "192.0.2.200")
    asked = await store.claim(term, made_claim(2, nics=(fixed,)))
    assert [claim.nics[0].address for claim in (free, asked)] == [
        "192.0.2.2",
        "192.0.2.200",
    ]


async def test_a_network_with_guests_keeps_its_range(databases: Databases) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term)
    await store.ensure_network(term, nat(1))
    claim = await store.claim(term, made_claim(1, nics=(NicRequest("eth0", "net-1"),)))
    with pytest.raises(NetworkInUse, match="still gives 1 addresses"):
        await store.release_network(term, "net-1")
    await store.record_delete(term, claim.server)
    await store.release(term, claim.server.uid, 1)
    for _ in range(2):
        await store.release_network(term, "net-1")


async def test_a_range_that_was_given_is_put_back_while_frozen_but_none_is_chosen(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await store.freeze(term, "DatabaseWentBack", "test")
    known = replace(nat(1, "10.0.0.0/24"), put_back=True)
    await store.ensure_network(term, known)
    for new in (nat(2), nat(3, "10.0.3.0/24")):
        with pytest.raises(Exception, match="frozen"):
            await store.ensure_network(term, new)


async def test_a_network_made_again_under_its_name_takes_its_guests_over(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term)
    before = await store.ensure_network(term, nat(2))
    await store.claim(term, made_claim(1, nics=(NicRequest("eth0", "net-2"),)))
    again = replace(nat(2), network_id="net-9")
    assert await store.ensure_network(term, again) == before
    named = replace(again, cidr=before.cidr)
    assert await store.ensure_network(term, named) == before
    assert (await store.count_addresses(before.network_id)).used == 1
    assert [row.network_id for row in await store.list_networks()] == ["net-2"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            replace(nat(1), network_id="net-9", name="Network x/y"), id="name"
        ),
        pytest.param(replace(nat(1, "10.0.9.0/24"), network_id="net-9"), id="range"),
        pytest.param(
            replace(bridge(1, "br-a", "192.0.2.0/24"), name=nat(1).name), id="kind"
        ),
    ],
)
async def test_nobody_else_takes_over_what_a_network_left_behind(
    databases: Databases, other: NetworkRequest
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    before = await store.ensure_network(term, replace(nat(1), network_id="net-0"))
    given = await store.ensure_network(term, other)
    assert given.network_id == other.network_id
    assert not given.cidr.overlaps(before.cidr)


async def test_holders_of_ranges_are_listed_by_pages(databases: Databases) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    for number in (2, 1):
        await store.ensure_network(term, nat(number))
    first = await store.list_networks(limit=1)
    second = await store.list_networks(after=first[0].network_id, limit=1)
    assert [(row.network_id, row.name) for row in (*first, *second)] == [
        ("net-1", "Network shop/net-1"),
        ("net-2", "Network shop/net-2"),
    ]
    assert await store.list_networks(after="net-2") == []


async def test_no_address_of_a_living_guest_that_nobody_knows_is_given(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term)
    await store.ensure_network(term, nat(1, "10.0.0.0/29"))
    held = frozenset({"10.0.0.3", "10.0.0.4", "10.0.0.6", "192.0.2.1"})
    nic, fixed = NicRequest("eth0", "net-1"), NicRequest("eth0", "net-1", "10.0.0.4")

    def asked(number: int, nic: NicRequest, held: frozenset[str]) -> ClaimRequest:
        return replace(made_claim(number, nics=(nic,)), held_addresses=held)

    claim = await store.claim(term, asked(1, nic, held))
    assert claim.nics[0].address == "10.0.0.5"
    with pytest.raises(AddressInUse, match=r"10\.0\.0\.4"):
        await store.claim(term, asked(2, fixed, held))
    with pytest.raises(NoAddressLeft):
        await store.claim(term, asked(3, nic, held))
    # Once the guest is known or gone, its address is free, or its own.
    again = await store.claim(term, asked(2, fixed, frozenset()))
    assert again.nics[0].address == "10.0.0.4"
