"""Claims made at once, from threads of two stores that share a term."""

import asyncio
from ipaddress import IPv4Network

from kilonova_operator.domain.addressing import NetworkRequest
from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU
from kilonova_operator.domain.placement import Claim, NicRequest
from kilonova_operator.domain.refusals import (
    AddressInUse,
    CapacityExceeded,
    ClaimRefused,
    NoAddressLeft,
    RangeInUse,
)
from support.databases import Databases, made_claim, made_server
from support.store_contract.claims import ETH0, NET
from support.store_contract.epoch import prepare_host
from support.store_contract.invariants import find_violations

BIG = {VCPU: 1, MEMORY_MB: 8000, DISK_GB: 10}
FIT_ON_ONE_HOST = 4  # (32768 - 512) // 8000


async def test_claims_made_at_once_never_overfill_a_host(databases: Databases) -> None:
    url = databases.api_url()
    stores = [databases.open_api(url) for _ in range(2)]
    term = await stores[0].take_term("super", "pod-a")
    await prepare_host(stores[0], term)
    outcomes = await asyncio.gather(
        *(
            stores[number % 2].claim(term, made_claim(number, amounts=BIG))
            for number in range(12)
        ),
        return_exceptions=True,
    )
    made = [outcome for outcome in outcomes if isinstance(outcome, Claim)]
    refused = [outcome for outcome in outcomes if not isinstance(outcome, Claim)]
    assert len(made) == FIT_ON_ONE_HOST
    assert all(isinstance(error, CapacityExceeded) for error in refused), refused
    assert find_violations(url) == {}


async def test_claims_made_at_once_share_no_address(databases: Databases) -> None:
    url = databases.api_url()
    stores = [databases.open_api(url) for _ in range(2)]
    term = await stores[0].take_term("super", "pod-a")
    hosts = [f"hv{number}" for number in range(6)]
    for host in hosts:
        await prepare_host(stores[0], term, host)
    request = NetworkRequest(
        NET, "NAT", "Network shop/private", IPv4Network("10.20.0.0/28")
    )
    addresses = (await stores[0].ensure_network(term, request)).addresses_total
    outcomes = await asyncio.gather(
        *(
            stores[number % 2].claim(
                term, made_claim(number, hosts[number % len(hosts)], nics=(ETH0,))
            )
            for number in range(addresses + 4)
        ),
        return_exceptions=True,
    )
    given = [o.nics[0].address for o in outcomes if isinstance(o, Claim)]
    assert len(given) == len(set(given)) == addresses
    refused = [o for o in outcomes if not isinstance(o, Claim)]
    assert all(isinstance(error, NoAddressLeft) for error in refused), refused
    assert find_violations(url) == {}


async def test_one_fixed_address_asked_for_at_once_is_given_once(
    databases: Databases,
) -> None:
    url = databases.api_url()
    stores = [databases.open_api(url) for _ in range(2)]
    term = await stores[0].take_term("super", "pod-a")
    for number in range(4):
        await prepare_host(stores[0], term, f"hv{number}")
    request = NetworkRequest(
        NET, "NAT", "Network shop/private", IPv4Network("10.20.0.0/24")
    )
    await stores[0].ensure_network(term, request)
    fixed = (NicRequest("eth0", NET, "10.20.0.50"),)
    outcomes = await asyncio.gather(
        *(
            stores[number % 2].claim(
                term, made_claim(number, f"hv{number % 4}", nics=fixed)
            )
            for number in range(8)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Claim) for outcome in outcomes) == 1
    refused = [o for o in outcomes if not isinstance(o, Claim)]
    assert all(isinstance(error, AddressInUse) for error in refused), refused
    assert find_violations(url) == {}


async def test_networks_made_at_once_share_no_range(databases: Databases) -> None:
    url = databases.api_url()
    stores = [databases.open_api(url) for _ in range(2)]
    term = await stores[0].take_term("super", "pod-a")
    pool = IPv4Network("10.128.0.0/21")
    ranges = await asyncio.gather(
        *(
            stores[number % 2].ensure_network(
                term,
                NetworkRequest(f"net-{number}", "NAT", f"Network {number}", pool=pool),
            )
            for number in range(8)
        )
    )
    assert len({range_.cidr for range_ in ranges}) == 8
    clash = IPv4Network("10.9.0.0/24")
    outcomes = await asyncio.gather(
        *(
            stores[number % 2].ensure_network(
                term,
                NetworkRequest(f"same-{number}", "NAT", f"Network x{number}", clash),
            )
            for number in range(4)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, RangeInUse) for outcome in outcomes) == 3


async def test_a_leader_that_loses_its_term_in_the_middle_writes_nothing_more(
    databases: Databases,
) -> None:
    url = databases.api_url()
    old, new = databases.open_api(url), databases.open_api(url)
    term = await old.take_term("super", "pod-a")
    for number in range(8):
        await prepare_host(old, term, f"hv{number}")
    claims = [
        asyncio.ensure_future(old.claim(term, made_claim(number, f"hv{number % 8}")))
        for number in range(40)
    ]
    await claims[3]
    newest = await new.take_term("super", "pod-b")
    held_then = {m.server.uid for m in await new.list_mappings()}
    outcomes = await asyncio.gather(*claims, return_exceptions=True)
    made = {o.server.uid for o in outcomes if isinstance(o, Claim)}
    assert made == held_then, "claims after the new term, or lost ones"
    assert not any(isinstance(o, ClaimRefused) for o in outcomes)
    await new.claim(newest, made_claim(99))
    assert await new.find_mapping(made_server(99).uid) is not None
