"""Claims that share a transaction: judged each by itself, and in order."""

import asyncio
from dataclasses import replace

import pytest

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU
from kilonova_operator.domain.placement import (
    BuryRequest,
    Claim,
    DecisionRecord,
    NicRequest,
)
from kilonova_operator.domain.quota import QuotaLimits
from kilonova_operator.domain.refusals import (
    AddressInUse,
    CapacityExceeded,
    HostUnmapped,
    MemberRefused,
    NetworkUnknown,
    PlacementFrozen,
    QuotaExceeded,
    ServerIsDeleted,
    StaleTerm,
)
from kilonova_operator.services.stores import ApiStore
from support.databases import SMALL, Databases, made_claim, made_server
from support.store_contract.claims import ETH0, NET, open_prepared
from support.store_contract.epoch import dump_tables
from support.store_contract.invariants import find_violations

BIG = {VCPU: 1, MEMORY_MB: 30000, DISK_GB: 1}


async def tick_of(store: ApiStore) -> int:
    return (await store.read_epoch()).tick


async def test_a_refusal_concerns_its_own_request_alone(databases: Databases) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    await store.claim(
        term, made_claim(90, nics=(NicRequest("eth0", NET, "10.20.0.9"),))
    )
    await store.record_delete(term, made_server(91))
    before = await tick_of(store)
    fixed = (NicRequest("eth0", NET, "10.20.0.9"),)
    requests = {
        "made": made_claim(1, nics=(ETH0,)),
        "full": made_claim(2, amounts={VCPU: 99}),
        "nowhere": made_claim(3, "hv9"),
        "deleted": made_claim(91),
        "address": made_claim(4, nics=fixed),
        "network": made_claim(5, nics=(NicRequest("eth0", "net-9"),)),
        "quota": replace(made_claim(6), quota=QuotaLimits(instances=1)),
        "made too": made_claim(7, "hv2", nics=(ETH0,)),
    }
    outcomes = await asyncio.gather(
        *(store.claim(term, request) for request in requests.values()),
        return_exceptions=True,
    )
    kinds = {name: type(o) for name, o in zip(requests, outcomes, strict=True)}
    assert kinds == {
        "made": Claim,
        "full": CapacityExceeded,
        "nowhere": HostUnmapped,
        "deleted": ServerIsDeleted,
        "address": AddressInUse,
        "network": NetworkUnknown,
        "quota": QuotaExceeded,
        "made too": Claim,
    }
    assert await tick_of(store) == before + 1, "one commit for all of them"
    assert find_violations(url) == {}


async def test_two_claims_of_a_batch_on_one_host_are_judged_in_order(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    outcomes = await asyncio.gather(
        *(store.claim(term, made_claim(n, amounts=BIG)) for n in range(3)),
        return_exceptions=True,
    )
    assert [type(o) for o in outcomes] == [Claim, CapacityExceeded, CapacityExceeded]
    assert "2256 MEMORY_MB free" in str(outcomes[1])


async def test_every_claim_of_a_batch_shows_its_host_with_all_of_them(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    claims = await asyncio.gather(
        *(store.claim(term, made_claim(n, f"hv{n % 2 + 1}")) for n in range(5))
    )
    views = {view.host: view for view in await store.list_provider_views()}
    assert views["hv1"].claims == 3
    assert all(claim.provider == views[claim.host] for claim in claims)


async def test_servers_of_a_batch_share_no_address_and_keep_their_fixed_ones(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url, cidr="10.20.0.0/28")
    fixed = (NicRequest("eth0", NET, "10.20.0.5"),)
    both = (ETH0, NicRequest("eth1", NET, "10.20.0.6"))
    claims = await asyncio.gather(
        store.claim(term, made_claim(1, nics=fixed)),
        store.claim(term, made_claim(2, nics=both)),
        store.claim(term, made_claim(3, nics=(ETH0,))),
        store.claim(
            term,
            replace(
                made_claim(4, nics=(ETH0,)), held_addresses=frozenset({"10.20.0.7"})
            ),
        ),
        store.claim(term, made_claim(5, nics=(ETH0,))),
    )
    given = [[nic.address for nic in claim.nics] for claim in claims]
    assert given == [
        ["10.20.0.5"],
        ["10.20.0.3", "10.20.0.6"],
        ["10.20.0.4"],
        ["10.20.0.8"],
        ["10.20.0.7"],
    ], "what is held for one request is free for the next"
    assert find_violations(url) == {}


async def test_a_refused_request_of_a_batch_gives_its_address_back(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases, cidr="10.20.0.0/29")
    two = (ETH0, NicRequest("eth1", "net-9"))
    outcomes = await asyncio.gather(
        store.claim(term, made_claim(1, nics=two)),
        *(store.claim(term, made_claim(n, nics=(ETH0,))) for n in range(2, 6)),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], NetworkUnknown)
    given = sorted(o.nics[0].address for o in outcomes[1:] if isinstance(o, Claim))
    assert given == [f"10.20.0.{last}" for last in (3, 4, 5, 6)]


async def test_one_server_asked_for_twice_at_once_is_placed_twice_in_order(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    same = made_claim(1)
    first, again, moved = await asyncio.gather(
        store.claim(term, same),
        store.claim(term, same),
        store.claim(term, made_claim(1, "hv2", attempt=2)),
    )
    assert again == replace(first, provider=None)
    assert (moved.host, moved.placement_generation) == ("hv2", 2)


async def test_parked_servers_are_placed_together_with_their_decisions(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    tried = DecisionRecord("NoValidHost", {"hostsConsidered": 2})
    for number in range(6):
        for _ in range(4):
            await store.bury_in_cell0(
                term, BuryRequest(made_server(number), 3, decision=tried)
            )
    placed = DecisionRecord("Claimed", {}, "hv1")
    await asyncio.gather(
        *(store.claim(term, replace(made_claim(n), decision=placed)) for n in range(6))
    )
    for number in range(6):
        uid = made_server(number).uid
        outcomes = [d.outcome for d in await store.list_decisions(uid)]
        assert outcomes == ["Claimed", "NoValidHost", "NoValidHost"]
        mapping = await store.find_mapping(uid)
        assert mapping is not None
        assert (mapping.host, mapping.object_generation) == ("hv1", 3)
    assert find_violations(url) == {}


async def test_claims_of_a_stale_term_are_not_mixed_with_the_newest_ones(
    databases: Databases,
) -> None:
    store, old = await open_prepared(databases)
    new = await store.take_term("super", "pod-b")
    terms: list[Term] = [old, new, old, new]
    outcomes = await asyncio.gather(
        *(store.claim(term, made_claim(n)) for n, term in enumerate(terms)),
        return_exceptions=True,
    )
    assert [type(o) for o in outcomes] == [StaleTerm, Claim, StaleTerm, Claim]


async def test_a_frozen_database_refuses_whole_batches(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    await store.freeze(term, "ObjectsWentBack", "etcd is of yesterday")
    outcomes = await asyncio.gather(
        *(store.claim(term, made_claim(n, f"hv{n}")) for n in range(4)),
        return_exceptions=True,
    )
    assert {type(outcome) for outcome in outcomes} == {PlacementFrozen}


async def test_a_claim_that_no_transaction_takes_spoils_no_other(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    await store.claim(term, made_claim(1))
    twin = replace(made_claim(2), instance_uuid=made_server(1).uid)
    outcomes = await asyncio.gather(
        store.claim(term, made_claim(3)),
        store.claim(term, twin),
        store.claim(term, made_claim(4, "hv2")),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], Claim)
    assert isinstance(outcomes[2], Claim)
    assert "Duplicate" in str(outcomes[1]) or "UNIQUE" in str(outcomes[1])
    assert find_violations(url) == {}


async def test_a_cancelled_caller_leaves_the_others_theirs(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    claims = [
        asyncio.ensure_future(store.claim(term, made_claim(n, f"hv{n % 2 + 1}")))
        for n in range(6)
    ]
    await asyncio.sleep(0)
    claims[2].cancel()
    outcomes = await asyncio.gather(*claims, return_exceptions=True)
    assert sum(isinstance(outcome, Claim) for outcome in outcomes) == 5
    assert find_violations(url) == {}


async def test_all_are_claimed_together_or_none(databases: Databases) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    claims = await store.claim_all(
        term, [made_claim(n, f"hv{n % 2 + 1}", nics=(ETH0,)) for n in range(4)]
    )
    assert [claim.host for claim in claims] == ["hv1", "hv2", "hv1", "hv2"]
    before = dump_tables(url)
    requests = [made_claim(n, amounts=BIG | {MEMORY_MB: 14000}) for n in range(10, 13)]
    with pytest.raises(MemberRefused, match=r"web-12.*MEMORY_MB free") as refused:
        await store.claim_all(term, requests)
    assert refused.value.server == made_server(12)
    assert refused.value.refusal.another_host_may_do
    assert refused.value.constraint == "Capacity:MEMORY_MB"
    assert dump_tables(url) == before
    assert await store.claim_all(term, []) == ()
    with pytest.raises(ValueError, match="same Server"):
        await store.claim_all(term, [made_claim(1), made_claim(1)])


async def test_all_claims_repeated_are_answered_not_doubled(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    requests = [made_claim(n, nics=(ETH0,)) for n in range(3)]
    first = await store.claim_all(term, requests)
    again = await store.claim_all(term, requests)
    assert again == tuple(replace(claim, provider=None) for claim in first)
    views = {view.host: view for view in await store.list_provider_views()}
    assert views["hv1"].used == {name: 3 * amount for name, amount in SMALL.items()}
