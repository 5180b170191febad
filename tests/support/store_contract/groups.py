"""Server groups: policies that no race can violate."""

import asyncio
from dataclasses import replace

import pytest

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.groups import GroupClaim, GroupMember
from kilonova_operator.domain.placement import Claim, ClaimRequest
from kilonova_operator.domain.refusals import GroupViolated
from kilonova_operator.services.stores import ApiStore
from support.databases import Databases, made_claim, made_server
from support.store_contract.epoch import prepare_host
from support.store_contract.invariants import find_violations

APART = GroupClaim("group-1", "AntiAffinity")
TOGETHER = GroupClaim("group-2", "Affinity")
ZONES = GroupClaim("group-3", "AntiAffinity", topology="Zone")
ONE_ZONE = GroupClaim("group-4", "Affinity", topology="Zone")
HOSTS = {"hv1": "az1", "hv2": "az1", "hv3": "az2"}


def member(number: int, group: GroupClaim, host: str) -> ClaimRequest:
    return replace(made_claim(number, host), group=group, zone=HOSTS[host])


async def open_hosts(
    databases: Databases, *, stores: int = 1
) -> tuple[list[ApiStore], Term, ApiStore]:
    url = databases.api_url()
    opened = [databases.open_api(url) for _ in range(stores)]
    term = await opened[0].take_term("super", "pod-a")
    for host in HOSTS:
        await prepare_host(opened[0], term, host)
    return opened, term, opened[0]


@pytest.mark.parametrize(
    ("group", "first", "refused", "allowed"),
    [
        pytest.param(APART, "hv1", "hv1", "hv2", id="apart"),
        pytest.param(TOGETHER, "hv1", "hv2", "hv1", id="together"),
        pytest.param(ZONES, "hv1", "hv2", "hv3", id="in other zones"),
        pytest.param(ONE_ZONE, "hv1", "hv3", "hv2", id="in one zone"),
    ],
)
async def test_a_policy_refuses_a_host_and_names_it(
    databases: Databases, group: GroupClaim, first: str, refused: str, allowed: str
) -> None:
    _, term, store = await open_hosts(databases)
    await store.claim(term, member(1, group, first))
    with pytest.raises(GroupViolated, match=group.group_uid) as violated:
        await store.claim(term, member(2, group, refused))
    assert violated.value.another_host_may_do
    assert violated.value.constraint == f"ServerGroup:{group.policy}"
    made = await store.claim(term, member(2, group, allowed))
    assert (made.group_uid, made.zone) == (group.group_uid, HOSTS[allowed])
    mapping = await store.find_mapping(made.server.uid)
    assert mapping is not None
    assert (mapping.group_uid, mapping.zone) == (group.group_uid, HOSTS[allowed])


@pytest.mark.parametrize("policy", ["SoftAffinity", "SoftAntiAffinity"])
async def test_a_soft_policy_refuses_nobody_and_its_members_are_known(
    databases: Databases, policy: str
) -> None:
    _, term, store = await open_hosts(databases)
    group = GroupClaim("group-5", policy)  # type: ignore[arg-type]
    for number, host in enumerate(("hv1", "hv1", "hv2")):
        await store.claim(term, member(number, group, host))
    hosts = [m.host for m in await store.list_group_members("group-5")]
    assert hosts == ["hv1", "hv1", "hv2"]


async def test_a_group_may_have_several_members_in_a_domain(
    databases: Databases,
) -> None:
    _, term, store = await open_hosts(databases)
    pairs = replace(APART, max_per_domain=2)
    for number in range(2):
        await store.claim(term, member(number, pairs, "hv1"))
    with pytest.raises(GroupViolated, match="2 members are there, 2 may be"):
        await store.claim(term, member(2, pairs, "hv1"))


async def test_members_of_one_batch_see_each_other(databases: Databases) -> None:
    _, term, store = await open_hosts(databases)
    outcomes = await asyncio.gather(
        *(store.claim(term, member(n, APART, "hv1")) for n in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Claim) for outcome in outcomes) == 1
    refused = [o for o in outcomes if not isinstance(o, Claim)]
    assert all(isinstance(error, GroupViolated) for error in refused), refused


@pytest.mark.parametrize("group", [APART, TOGETHER, ZONES])
async def test_no_race_of_two_stores_violates_a_policy(
    databases: Databases, group: GroupClaim
) -> None:
    stores, term, store = await open_hosts(databases, stores=2)
    hosts = list(HOSTS)
    outcomes = await asyncio.gather(
        *(
            stores[n % 2].claim(term, member(n, group, hosts[n % len(hosts)]))
            for n in range(18)
        ),
        return_exceptions=True,
    )
    refused = [o for o in outcomes if not isinstance(o, Claim)]
    assert all(isinstance(error, GroupViolated) for error in refused), refused
    made = [o for o in outcomes if isinstance(o, Claim)]
    domains = [group.domain_of(claim.host, claim.zone) for claim in made]
    if group.policy == "Affinity":
        assert len(set(domains)) == 1
    else:
        assert sorted(domains) == sorted({group.domain_of(h, HOSTS[h]) for h in hosts})
    listed = await store.list_group_members(group.group_uid)
    assert {m.server_uid for m in listed} == {claim.server.uid for claim in made}


async def test_a_deleted_member_counts_until_its_guest_is_gone(
    databases: Databases,
) -> None:
    _, term, store = await open_hosts(databases)
    await store.claim(term, member(1, APART, "hv1"))
    await store.record_delete(term, made_server(1))
    with pytest.raises(GroupViolated):
        await store.claim(term, member(2, APART, "hv1"))
    assert not await store.forget_group(term, APART.group_uid)
    await store.release(term, made_server(1).uid, 1)
    await store.claim(term, member(2, APART, "hv1"))


async def test_a_member_that_moves_does_not_stand_in_its_own_way(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store = databases.open_api(url)
    term = await store.take_term("super", "pod-a")
    for host in HOSTS:
        await prepare_host(store, term, host)
    await store.claim(term, member(1, ZONES, "hv1"))
    await store.claim(term, replace(member(1, ZONES, "hv2"), attempt=2))
    await store.claim(term, member(2, TOGETHER, "hv1"))
    await store.claim(term, replace(member(2, TOGETHER, "hv2"), attempt=2))
    with pytest.raises(GroupViolated):  # it may still run in az1 by either claim
        await store.claim(term, member(3, ZONES, "hv2"))
    uid = made_server(1).uid
    assert await store.list_group_members("group-3") == [
        GroupMember("group-3", uid, "hv1", "az1"),
        GroupMember("group-3", uid, "hv2", "az1"),
    ]
    await store.release(term, uid, 1)
    assert [m.host for m in await store.list_group_members("group-3")] == ["hv2"]
    assert find_violations(url) == {}


async def test_a_group_without_members_is_forgotten(databases: Databases) -> None:
    _, term, store = await open_hosts(databases)
    await store.claim(term, member(1, APART, "hv1"))
    await store.record_delete(term, made_server(1))
    await store.release(term, made_server(1).uid, 1)
    assert APART.group_uid in await store.list_groups()
    assert APART.group_uid not in await store.list_groups(after=APART.group_uid)
    for _ in range(2):
        assert await store.forget_group(term, APART.group_uid)
    assert APART.group_uid not in await store.list_groups()
    await store.claim(term, member(2, APART, "hv1"))


async def test_pages_of_members_leave_none_out(databases: Databases) -> None:
    _, term, store = await open_hosts(databases)
    soft = GroupClaim("group-5", "SoftAffinity")
    for number in range(5):
        await store.claim(term, member(number, soft, "hv1"))
    await store.claim(term, replace(member(1, soft, "hv2"), attempt=2))
    seen: list[GroupMember] = []
    while page := await store.list_members(
        after=seen[-1].server_uid if seen else "", limit=2
    ):
        seen += page
    assert len(seen) == 6
    assert len({(m.server_uid, m.host) for m in seen}) == 6
    placements = await store.list_placements(limit=3)
    assert [(p.server_uid, p.host, p.group_uid) for p in placements] == [
        (made_server(0).uid, "hv1", "group-5"),
        (made_server(1).uid, "hv2", "group-5"),
        (made_server(2).uid, "hv1", "group-5"),
    ]
    assert len(await store.list_placements(after=made_server(2).uid)) == 2
