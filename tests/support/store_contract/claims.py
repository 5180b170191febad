"""Claims, burials and what they refuse."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from pydantic import SecretStr

from kilonova_operator.domain.addressing import NetworkRequest
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU
from kilonova_operator.domain.placement import (
    BuryRequest,
    DecisionRecord,
    HeldClaim,
    NicRequest,
)
from kilonova_operator.domain.refusals import (
    AddressInUse,
    AddressOutOfRange,
    AlreadyPlaced,
    CapacityExceeded,
    DomainExists,
    HostUnmapped,
    MemberRefused,
    NetworkUnknown,
    NoAddressLeft,
    ServerIsDeleted,
)
from kilonova_operator.services.stores import ApiStore
from support.databases import (
    SMALL,
    Databases,
    made_claim,
    made_inventories,
    made_server,
)
from support.store_contract.epoch import prepare_host

NET = "net-1"
ETH0 = NicRequest("eth0", NET)


async def open_prepared(
    databases: Databases,
    *,
    cidr: str = "10.20.0.0/24",
    url: SecretStr | None = None,
) -> tuple[ApiStore, Term]:
    store = databases.open_api(url)
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term, "hv1")
    await prepare_host(store, term, "hv2")
    request = NetworkRequest(NET, "NAT", "Network shop/private", IPv4Network(cidr))
    await store.ensure_network(term, request)
    return store, term


async def test_a_claim_gives_host_amounts_address_and_mac_together(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    claim = await store.claim(term, made_claim(1, nics=(ETH0,)))
    assert (claim.host, claim.cell, claim.placement_generation) == ("hv1", "cell1", 1)
    assert claim.instance_uuid == claim.server.uid
    assert claim.nics[0].address == "10.20.0.3"
    assert claim.nics[0].mac.startswith("fa:16:3e:")
    assert claim.provider is not None
    views = {view.host: view for view in await store.list_provider_views()}
    assert views["hv1"] == claim.provider
    assert views["hv1"].used == SMALL
    assert views["hv1"].claims == 1
    assert views["hv2"].used == dict.fromkeys(SMALL, 0)
    found = await store.find_claim(claim.server.uid)
    assert found == replace(claim, provider=None)
    mapping = await store.find_mapping(claim.server.uid)
    assert mapping is not None
    assert (mapping.host, mapping.object_generation) == ("hv1", 1)


async def test_a_claim_repeated_with_its_request_id_is_answered_not_doubled(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    request = made_claim(1, nics=(ETH0,))
    first = await store.claim(term, request)
    again = await store.claim(term, request)
    assert replace(first, provider=None) == again
    assert len(await store.list_claims(first.server.uid)) == 1


async def test_what_is_held_is_listed_page_by_page_of_one_host_or_of_all(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    for number in range(5):
        await store.claim(term, made_claim(number, "hv1"))
    await store.claim(term, made_claim(4, "hv2", attempt=2))  # it moved, and holds both
    found: list[HeldClaim] = []
    while page := await store.list_held_claims(
        after=found[-1].server_uid if found else "", limit=2
    ):
        assert len({claim.server_uid for claim in page}) <= 2
        found += page
    uids = [made_server(number).uid for number in (0, 1, 2, 3, 4, 4)]
    assert [claim.server_uid for claim in found] == sorted(uids)
    (moved,) = await store.list_held_claims(host="hv2")
    assert (moved.server_uid, moved.placement_generation) == (made_server(4).uid, 2)
    assert len(await store.list_held_claims(host="hv1")) == 5
    assert not await store.list_held_claims(host="hv9")


async def test_a_full_host_refuses_and_names_the_class(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    amounts = {VCPU: 1, MEMORY_MB: 20000, DISK_GB: 1}
    await store.claim(term, made_claim(1, amounts=amounts))
    with pytest.raises(CapacityExceeded, match="12256 MEMORY_MB free") as refused:
        await store.claim(term, made_claim(2, amounts=amounts))
    assert refused.value.constraint == "Capacity:MEMORY_MB"
    assert refused.value.another_host_may_do
    assert await store.find_mapping(made_server(2).uid) is None
    await store.claim(term, made_claim(2, "hv2", amounts=amounts))


async def test_one_guest_is_never_bigger_than_its_host_though_oversold(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    with pytest.raises(CapacityExceeded) as refused:
        await store.claim(term, made_claim(1, amounts={VCPU: 17}))
    assert refused.value.resource_class == VCPU
    for number in range(4):
        await store.claim(term, made_claim(number, amounts={VCPU: 16}))
    with pytest.raises(CapacityExceeded):
        await store.claim(term, made_claim(9, amounts={VCPU: 1}))


async def test_guests_nobody_knows_take_room(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    inventories = made_inventories()
    inventories[MEMORY_MB] = replace(inventories[MEMORY_MB], unmanaged=31000)
    await store.set_inventory(term, "hv1", inventories)
    with pytest.raises(CapacityExceeded, match="1256 MEMORY_MB"):
        await store.claim(term, made_claim(1))


async def test_a_host_that_never_reported_cannot_be_claimed(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    await store.ensure_host_mapping(term, "hv3", "cell1")
    for host in ("hv3", "hv4"):
        with pytest.raises(HostUnmapped, match=host):
            await store.claim(term, made_claim(1, host))


async def test_a_reschedule_keeps_address_and_mac_and_the_old_claim(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    first = await store.claim(term, made_claim(1, nics=(ETH0,)))
    second = await store.claim(
        term,
        replace(made_claim(1, "hv2", nics=(ETH0,), attempt=2), tried_hosts=("hv1",)),
    )
    assert second.placement_generation == 2
    assert second.nics == first.nics
    held = await store.list_claims(first.server.uid)
    assert [(h.host, h.placement_generation) for h in held] == [("hv2", 2), ("hv1", 1)]
    released = await store.release(term, first.server.uid, 1)
    assert not released.finished
    assert [claim.host for claim in released.given_back] == ["hv1"]
    assert released.providers[0].used == dict.fromkeys(SMALL, 0)
    found = await store.find_claim(first.server.uid)
    assert found is not None
    assert (found.host, found.attempt, found.tried_hosts) == ("hv2", 2, ("hv1",))


async def test_a_server_leaves_its_host_by_the_next_attempt_alone(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    first = await store.claim(term, made_claim(1, nics=(ETH0,)))
    stale = made_claim(1, "hv2", nics=(ETH0,))
    with pytest.raises(AlreadyPlaced, match="has host hv1 already, by attempt 1"):
        await store.claim(term, stale)
    with pytest.raises(MemberRefused) as refused:
        await store.claim_all(term, [made_claim(2, "hv2"), stale])
    assert isinstance(refused.value.refusal, AlreadyPlaced)
    assert not refused.value.refusal.another_host_may_do
    assert await store.find_claim(first.server.uid) == replace(first, provider=None)
    assert len(await store.list_claims(first.server.uid)) == 1
    await store.claim(term, made_claim(1, "hv2", nics=(ETH0,), attempt=2))
    with pytest.raises(AlreadyPlaced, match="has host hv2 already, by attempt 2"):
        await store.claim(term, made_claim(1, nics=(ETH0,), attempt=2))


async def test_the_generation_steps_above_every_witness(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    request = replace(made_claim(1), placement_generation_floor=41)
    assert (await store.claim(term, request)).placement_generation == 42


async def test_a_fixed_address_is_given_once(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    fixed = (NicRequest("eth0", NET, "10.20.0.77"),)
    claim = await store.claim(term, made_claim(1, nics=fixed))
    assert claim.nics[0].address == "10.20.0.77"
    with pytest.raises(AddressInUse, match=r"10\.20\.0\.77.*Network shop/private"):
        await store.claim(term, made_claim(2, nics=fixed))
    views = {view.host: view.claims for view in await store.list_provider_views()}
    assert views == {"hv1": 1, "hv2": 0}, "a refused claim left something"


@pytest.mark.parametrize(
    "address",
    ["10.20.0.0", "10.20.0.1", "10.20.0.2", "10.20.0.255", "10.21.0.3", "no address"],
)
async def test_an_address_outside_or_of_the_network_itself_is_refused(
    databases: Databases, address: str
) -> None:
    store, term = await open_prepared(databases)
    nics = (NicRequest("eth0", NET, address),)
    with pytest.raises(AddressOutOfRange, match=r"10\.20\.0\.0/24"):
        await store.claim(term, made_claim(1, nics=nics))


async def test_a_fixed_address_is_not_taken_by_a_free_choice_of_the_same_server(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    nics = (ETH0, NicRequest("eth1", NET, "10.20.0.3"))
    claim = await store.claim(term, made_claim(1, nics=nics))
    assert [nic.address for nic in claim.nics] == ["10.20.0.4", "10.20.0.3"]


async def test_every_address_is_given_before_none_is_left(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases, cidr="10.20.0.0/29")
    given = [
        (await store.claim(term, made_claim(n, nics=(ETH0,)))).nics[0].address
        for n in range(4)
    ]
    assert sorted(given) == ["10.20.0.3", "10.20.0.4", "10.20.0.5", "10.20.0.6"]
    with pytest.raises(NoAddressLeft, match="Network shop/private"):
        await store.claim(term, made_claim(9, nics=(ETH0,)))
    count = await store.count_addresses(NET)
    assert str(count) == "4/4"
    gone = made_server(1)
    await store.record_delete(term, gone)
    assert (await store.release(term, gone.uid, 1)).finished
    again = await store.claim(term, made_claim(9, nics=(ETH0,)))
    assert again.nics[0].address == given[1]


async def test_a_network_without_a_range_is_waited_for(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    with pytest.raises(NetworkUnknown, match="net-2"):
        await store.claim(term, made_claim(1, nics=(NicRequest("eth0", "net-2"),)))


async def test_a_name_is_held_until_its_guest_is_gone(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    old = await store.claim(term, made_claim(1))
    again = replace(made_claim(2), server=replace(made_server(2), name=old.server.name))
    await store.record_delete(term, old.server)
    with pytest.raises(DomainExists, match=old.server.uid) as refused:
        await store.claim(term, again)
    assert (refused.value.uuid, refused.value.host) == (old.server.uid, "hv1")
    with pytest.raises(DomainExists):
        await store.bury_in_cell0(term, BuryRequest(again.server, 1))
    held = await store.hold_by_name(
        old.server.namespace, old.server.name, but_not=again.server.uid
    )
    assert held is not None
    assert held.server.uid == old.server.uid
    await store.release(term, old.server.uid, 1)
    assert await store.hold_by_name("shop", old.server.name) is None
    await store.claim(term, again)


async def test_a_deleted_server_is_never_claimed_again(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    claim = await store.claim(term, made_claim(1))
    await store.record_delete(term, claim.server)
    for _ in range(2):
        with pytest.raises(ServerIsDeleted, match="Create it anew"):
            await store.claim(term, made_claim(1))
        await store.release(term, claim.server.uid, 1)
    with pytest.raises(ServerIsDeleted):
        await store.bury_in_cell0(term, BuryRequest(claim.server, 1))


async def test_a_buried_server_is_placed_once_a_host_fits(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    decision = DecisionRecord("NoValidHost", {"hostsConsidered": 2})
    buried = await store.bury_in_cell0(
        term, BuryRequest(made_server(1), 1, decision=decision)
    )
    assert (buried.cell, buried.host) == ("cell0", None)
    assert await store.find_claim(buried.server.uid) is None
    claim = await store.claim(
        term, replace(made_claim(1), decision=DecisionRecord("Placed", {}, "hv1"))
    )
    assert claim.cell == "cell1"
    outcomes = [d.outcome for d in await store.list_decisions(buried.server.uid)]
    assert outcomes == ["Placed", "NoValidHost"]


async def test_the_last_three_decisions_are_kept(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    uid = made_server(1).uid
    for number in range(5):
        await store.record_decision(term, uid, DecisionRecord(f"try-{number}", {}))
    kept = await store.list_decisions(uid)
    assert [decision.outcome for decision in kept] == ["try-4", "try-3", "try-2"]


async def test_pages_of_mappings_leave_none_out(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    for number in range(5):
        await store.claim(term, made_claim(number, "hv1" if number % 2 else "hv2"))
    seen: list[str] = []
    while page := await store.list_mappings(after=seen[-1] if seen else "", limit=2):
        seen += [mapping.server.uid for mapping in page]
    assert seen == [made_server(number).uid for number in range(5)]
    assert len(await store.list_mappings(host="hv1", cell="cell1")) == 2
    assert await store.list_mappings(cell="cell0") == []
    assert len(await store.list_mappings(host="hv2")) == 3
