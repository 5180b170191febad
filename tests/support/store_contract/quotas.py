"""Quotas: counted once per Server, given back when its delete is recorded."""

import asyncio
from dataclasses import replace

import pytest

from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, PCPU, VCPU, Inventory
from kilonova_operator.domain.placement import BuryRequest, Claim, ClaimRequest
from kilonova_operator.domain.quota import NamespaceUsage, QuotaLimits, Usage
from kilonova_operator.domain.refusals import CapacityExceeded, QuotaExceeded
from support.databases import Databases, made_claim, made_inventories, made_server
from support.store_contract.claims import open_prepared
from support.store_contract.invariants import find_violations

NAMESPACE = made_server(1).namespace_uid
ONE = Usage(1, 1, 2048)
"""What one Server of the tests' smallest flavor counts."""


def limited(request: ClaimRequest, **limits: int) -> ClaimRequest:
    return replace(request, quota=QuotaLimits(**limits))


@pytest.mark.parametrize(
    ("limits", "resource", "says"),
    [
        ({"instances": 1}, "instances", "1 more Servers are wanted, 1 of 1 are used"),
        ({"cores": 1}, "cores", "1 more virtual CPUs are wanted, 1 of 1 are used"),
        ({"ram_mib": 4095}, "ram_mib", "2048 more MiB of RAM are wanted, 2048 of 4095"),
    ],
)
async def test_a_claim_above_the_quota_is_refused_and_says_by_what(
    databases: Databases, limits: dict[str, int], resource: str, says: str
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    await store.claim(term, limited(made_claim(1), **limits))
    with pytest.raises(QuotaExceeded, match=says) as refused:
        await store.claim(term, limited(made_claim(2), **limits))
    assert refused.value.excess.resource == resource
    assert not refused.value.another_host_may_do
    assert "hv1" not in str(refused.value)
    assert await store.read_usage(NAMESPACE) == ONE
    assert await store.find_mapping(made_server(2).uid) is None
    assert find_violations(url) == {}


async def test_a_quota_without_limits_still_counts(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    await store.claim(term, made_claim(1))
    await store.claim(term, limited(made_claim(2)))
    assert await store.read_usage(NAMESPACE) == ONE + ONE
    assert await store.read_usage("nobody") == Usage()
    assert await store.list_usages() == [NamespaceUsage(NAMESPACE, ONE + ONE)]
    assert await store.list_usages(after=NAMESPACE) == []


async def test_the_flavor_counts_where_it_differs_from_what_is_claimed(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    inventories = made_inventories() | {PCPU: Inventory(8, max_unit=8)}
    await store.set_inventory(term, "hv1", inventories)
    pinned = made_claim(1, amounts={PCPU: 4, MEMORY_MB: 1024, DISK_GB: 1})
    await store.claim(term, pinned)
    assert await store.read_usage(NAMESPACE) == Usage(1, 4, 1024)
    bare = replace(made_claim(2, amounts={VCPU: 1}), vcpus=16, ram_mib=4096)
    await store.claim(term, bare)
    assert await store.read_usage(NAMESPACE) == Usage(2, 20, 5120)


async def test_a_reschedule_counts_nothing_more(databases: Databases) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    await store.claim(term, limited(made_claim(1), instances=1))
    again = limited(made_claim(1, "hv2", attempt=2), instances=1)
    await store.claim(term, again)
    assert await store.read_usage(NAMESPACE) == ONE
    await store.release(term, made_server(1).uid, 1)
    assert await store.read_usage(NAMESPACE) == ONE
    assert find_violations(url) == {}


async def test_a_limit_below_the_use_stops_nobody_who_is_there(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    for number in (1, 2):
        await store.claim(term, made_claim(number))
    again = made_claim(1, "hv2", attempt=2)
    moved = await store.claim(term, limited(again, instances=0, cores=0))
    assert moved.host == "hv2"
    with pytest.raises(QuotaExceeded, match="2 of 0 are used"):
        await store.claim(term, limited(made_claim(3), instances=0))


@pytest.mark.parametrize("retain", [False, True])
async def test_a_recorded_delete_gives_the_quota_back_at_once(
    databases: Databases,
    retain: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    await store.claim(term, limited(made_claim(1), instances=1))
    for _ in range(2):
        await store.record_delete(term, made_server(1), retain=retain)
        assert await store.read_usage(NAMESPACE) == Usage()
    await store.claim(term, limited(made_claim(2), instances=1))
    await store.release(term, made_server(1).uid, 1)
    assert await store.read_usage(NAMESPACE) == ONE
    assert find_violations(url) == {}


async def test_an_adopted_guest_counts_for_its_new_server(databases: Databases) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    old = await store.claim(term, made_claim(1))
    await store.record_delete(term, old.server, retain=True)
    new = replace(made_server(2), name=old.server.name)
    for _ in range(2):
        await store.adopt(term, old.instance_uuid, new)
        assert await store.read_usage(NAMESPACE) == ONE
    await store.record_delete(term, new)
    assert await store.read_usage(NAMESPACE) == Usage()
    assert find_violations(url) == {}


async def test_a_parked_server_counts_nothing(databases: Databases) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    parked = BuryRequest(made_server(1), 1)
    await store.bury_in_cell0(term, parked)
    assert await store.read_usage(NAMESPACE) == Usage()
    await store.claim(term, limited(made_claim(1), instances=1))
    assert await store.read_usage(NAMESPACE) == ONE
    await store.release(term, made_server(1).uid, 1)
    await store.bury_in_cell0(term, parked)
    assert await store.read_usage(NAMESPACE) == Usage()
    assert find_violations(url) == {}


async def test_a_refused_claim_counts_nothing(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    with pytest.raises(CapacityExceeded):
        await store.claim(term, limited(made_claim(1, amounts={VCPU: 99}), cores=99))
    assert await store.read_usage(NAMESPACE) == Usage()


async def test_claims_made_at_once_never_exceed_a_quota(databases: Databases) -> None:
    url = databases.api_url()
    stores = [databases.open_api(url) for _ in range(2)]
    store, term = await open_prepared(databases, url=url)
    outcomes = await asyncio.gather(
        *(
            stores[n % 2].claim(
                term, limited(made_claim(n, f"hv{n % 2 + 1}"), instances=7)
            )
            for n in range(20)
        ),
        return_exceptions=True,
    )
    refused = [o for o in outcomes if not isinstance(o, Claim)]
    assert len(outcomes) - len(refused) == 7
    assert all(isinstance(error, QuotaExceeded) for error in refused), refused
    assert (await store.read_usage(NAMESPACE)).instances == 7
    assert find_violations(url) == {}


async def test_namespaces_have_quotas_of_their_own(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    other = replace(made_server(2, namespace="test"), namespace_uid="namespace-2")
    claims = [
        limited(made_claim(1), instances=1),
        limited(replace(made_claim(2), server=other), instances=1),
    ]
    await asyncio.gather(*(store.claim(term, claim) for claim in claims))
    assert [u.usage for u in await store.list_usages(limit=2)] == [ONE, ONE]
    assert [u.namespace_uid for u in await store.list_usages(limit=1)] == [
        "namespace-1"
    ]
