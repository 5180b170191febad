"""Deletion, retaining and repair."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kilonova_operator.domain.inventory import Inventory
from kilonova_operator.domain.placement import (
    BuryRequest,
    DecisionRecord,
    NicClaim,
    WitnessedClaim,
)
from kilonova_operator.domain.refusals import (
    CapacityExceeded,
    DomainExists,
    MappingNotFound,
)
from support.databases import SMALL, Databases, made_claim, made_server
from support.store_contract.claims import ETH0, NET, open_prepared
from support.store_contract.invariants import find_violations

DAY = timedelta(days=1)


async def test_what_a_deleted_server_holds_stays_held_until_its_domain_is_gone(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    claim = await store.claim(term, made_claim(1, nics=(ETH0,)))
    queued = await store.record_delete(term, claim.server)
    assert queued is not None
    assert queued.queued_for_delete
    assert await store.find_tombstone(claim.server.uid) is not None
    assert not await store.finish_delete(term, claim.server.uid)
    assert (await store.count_addresses(NET)).used == 1
    released = await store.release(term, claim.server.uid, 1)
    assert released.finished
    assert (await store.count_addresses(NET)).used == 0
    assert await store.find_mapping(claim.server.uid) is None
    assert await store.list_decisions(claim.server.uid) == []


async def test_every_step_of_a_delete_may_run_twice(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    claim = await store.claim(term, made_claim(1))
    first = await store.record_delete(term, claim.server)
    assert await store.record_delete(term, claim.server) == first
    assert (await store.release(term, claim.server.uid, 1)).finished
    again = await store.release(term, claim.server.uid, 1)
    assert again.finished
    assert again.given_back == ()
    assert await store.finish_delete(term, claim.server.uid)


async def test_a_delete_waits_for_every_host_that_may_have_the_guest(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    await store.claim(term, made_claim(1, nics=(ETH0,)))
    moved = made_claim(1, "hv2", nics=(ETH0,), attempt=2)
    claim = await store.claim(term, moved)
    await store.record_delete(term, claim.server)
    released = await store.release(term, claim.server.uid, 2)
    assert not released.finished
    assert [held.host for held in released.claims_left] == ["hv1"]
    assert (await store.count_addresses(NET)).used == 1
    assert (await store.release(term, claim.server.uid, 1)).finished


async def test_a_server_that_never_had_a_row_leaves_a_tombstone_only(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    assert await store.record_delete(term, made_server(1)) is None
    assert await store.find_tombstone(made_server(1).uid) is not None


async def test_a_server_in_cell0_is_finished_without_a_release(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    await store.bury_in_cell0(term, BuryRequest(made_server(1), 1))
    await store.record_delete(term, made_server(1))
    assert await store.finish_delete(term, made_server(1).uid)
    assert await store.find_mapping(made_server(1).uid) is None


async def test_a_vanished_server_of_cell0_is_forgotten_without_a_tombstone(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    decision = DecisionRecord("NoValidHost", {})
    await store.bury_in_cell0(term, BuryRequest(made_server(1), 1, decision=decision))
    assert await store.forget_unplaced(term, made_server(1).uid)
    assert await store.find_mapping(made_server(1).uid) is None
    assert await store.list_decisions(made_server(1).uid) == []
    assert await store.find_tombstone(made_server(1).uid) is None
    assert await store.forget_unplaced(term, made_server(1).uid), "may run twice"


async def test_a_server_with_a_host_is_never_forgotten(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    claim = await store.claim(term, made_claim(1, nics=(ETH0,)))
    assert not await store.forget_unplaced(term, claim.server.uid)
    kept = await store.find_claim(claim.server.uid)
    assert kept is not None
    assert (kept.host, kept.nics) == (claim.host, claim.nics)


async def test_a_released_server_that_lives_on_has_no_host(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    claim = await store.claim(term, made_claim(1, nics=(ETH0,)))
    await store.release(term, claim.server.uid, 1)
    mapping = await store.find_mapping(claim.server.uid)
    assert mapping is not None
    assert mapping.host is None
    again = await store.claim(term, made_claim(1, "hv2", nics=(ETH0,)))
    assert (again.placement_generation, again.nics) == (2, claim.nics)


async def test_the_object_generation_never_goes_back(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    claim = await store.claim(term, made_claim(1))
    for generation in (5, 3):
        await store.note_object_generation(term, claim.server.uid, generation)
    mapping = await store.find_mapping(claim.server.uid)
    assert mapping is not None
    assert mapping.object_generation == 5


async def test_tombstones_are_swept_when_old_and_nothing_is_held(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    await store.claim(term, made_claim(1))
    await store.claim(term, made_claim(2))
    for number in (1, 2):
        await store.record_delete(term, made_server(number))
    await store.release(term, made_server(1).uid, 1)
    databases.clock.now += 35 * DAY
    await store.record_delete(term, made_server(3))
    assert await store.sweep_tombstones(term, older_than=34 * DAY) == 1
    left = [
        number
        for number in (1, 2, 3)
        if await store.find_tombstone(made_server(number).uid)
    ]
    assert left == [2, 3], "2 still holds a host, 3 is young"


async def test_a_retained_guest_holds_its_name_until_it_is_adopted(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    old = await store.claim(term, made_claim(1, nics=(ETH0,)))
    retained = await store.record_delete(term, old.server, retain=True)
    assert retained is not None
    assert retained.retained
    new = replace(made_server(2), name=old.server.name)
    with pytest.raises(DomainExists):
        await store.claim(term, replace(made_claim(2), server=new))
    for _ in range(2):
        adopted = await store.adopt(term, old.instance_uuid, new)
        assert adopted.server == new
        assert adopted.instance_uuid == old.instance_uuid
    claim = await store.find_claim(new.uid)
    assert claim is not None
    assert (claim.nics, claim.host, claim.amounts) == (old.nics, "hv1", SMALL)
    assert await store.find_claim(old.server.uid) is None
    found = await store.find_mapping(new.uid)
    assert found is not None
    assert found.instance_uuid == old.instance_uuid
    assert await store.find_mapping_by_instance(old.instance_uuid) == found


async def test_a_living_servers_guest_cannot_be_adopted(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    claim = await store.claim(term, made_claim(1))
    with pytest.raises(MappingNotFound):
        await store.adopt(term, claim.instance_uuid, made_server(2))


def made_nic(number: int) -> NicClaim:
    address = f"10.20.0.{number + 10}"
    return NicClaim("eth0", NET, address, f"fa:16:3e:00:00:{number:02x}")


def made_witness(number: int, **changes: object) -> WitnessedClaim:
    witness = WitnessedClaim(
        server=made_server(number),
        instance_uuid=made_server(number).uid,
        host="hv1",
        placement_generation=3,
        amounts=SMALL,
        nics=(
            NicClaim("eth0", NET, f"10.20.0.{number + 10}", f"fa:16:3e:0:0:{number}"),
        ),
        object_generation=2,
    )
    return replace(witness, **changes)  # type: ignore[arg-type]


async def test_a_lost_claim_is_put_back_from_its_witness(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    await store.freeze(term, "DatabaseWentBack", "test")
    witness = made_witness(1)
    assert (await store.restore_claim(term, witness)).changed
    assert not (await store.restore_claim(term, witness)).changed
    await store.unfreeze(term)
    claim = await store.find_claim(witness.server.uid)
    assert claim is not None
    assert (claim.host, claim.placement_generation) == ("hv1", 3)
    assert (claim.nics, claim.amounts) == (witness.nics, SMALL)
    moved = made_claim(1, "hv2", nics=(ETH0,), attempt=2)
    next_claim = await store.claim(term, moved)
    assert next_claim.placement_generation == 4


async def test_what_was_taken_of_a_shared_provider_is_put_back(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    await store.ensure_provider(term, "aggregate:old")
    pool = {"CUSTOM_LICENCE": Inventory(total=4)}
    filled = await store.set_provider_inventory(term, "aggregate:old", pool)
    generation = filled.generation
    await store.freeze(term, "DatabaseWentBack", "test")
    # One provider is in the older database, the other came after it.
    shared = {
        "aggregate:old": {"CUSTOM_LICENCE": 3},
        "aggregate:new": {"CUSTOM_KEY": 1},
    }
    witness = made_witness(1, shared=shared)
    assert (await store.restore_claim(term, witness)).changed
    assert not (await store.restore_claim(term, witness)).changed
    (held,) = await store.list_claims(witness.server.uid)
    assert (held.host, held.amounts, held.shared) == ("hv1", SMALL, shared)
    old = await store.find_provider("aggregate:old")
    assert old is not None
    assert old.used == {"CUSTOM_LICENCE": 3}
    assert old.generation > generation, "who claims of it meanwhile loses its swap"
    # Its aggregate, which is an object, says what there is of it.
    key = {"CUSTOM_KEY": Inventory(total=1)}
    await store.set_provider_inventory(term, "aggregate:new", key)
    (new,) = await store.list_providers(sharing=True)
    assert (new.name, new.used) == ("aggregate:new", {"CUSTOM_KEY": 1})
    await store.unfreeze(term)
    more = replace(made_claim(2), shared={"aggregate:old": {"CUSTOM_LICENCE": 2}})
    with pytest.raises(CapacityExceeded, match="1 CUSTOM_LICENCE free"):
        await store.claim(term, more)
    await store.record_delete(term, witness.server)
    assert (await store.release(term, witness.server.uid, 3)).finished
    for name in shared:
        await store.delete_provider(term, name)
    assert find_violations(url) == {}


async def test_a_server_put_back_counts_as_its_flavor_does(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    emulator = {"PCPU": 3, "MEMORY_MB": 2048}
    witness = made_witness(1, amounts=emulator, vcpus=2, ram_mib=2048)
    await store.restore_claim(term, witness)
    usage = await store.read_usage(witness.server.namespace_uid)
    assert (usage.cores, usage.ram_mib) == (2, 2048)


async def test_a_witness_is_believed_over_capacity(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    for number in range(20):
        await store.restore_claim(term, made_witness(number))
    views = {view.host: view for view in await store.list_provider_views()}
    assert views["hv1"].used["MEMORY_MB"] == 20 * 2048
    assert views["hv1"].free("MEMORY_MB") < 0


async def test_a_newer_placement_of_the_row_stands(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    await store.restore_claim(term, made_witness(1, placement_generation=7, host="hv2"))
    await store.restore_claim(term, made_witness(1))
    claim = await store.find_claim(made_server(1).uid)
    assert claim is not None
    assert (claim.host, claim.placement_generation) == ("hv2", 7)
    held = await store.list_claims(made_server(1).uid)
    assert len(held) == 2, "what the older placement may still hold counts"


async def test_a_tombstone_stands_against_a_witness(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    await store.record_delete(term, made_server(1))
    await store.restore_claim(term, made_witness(1))
    mapping = await store.find_mapping(made_server(1).uid)
    assert mapping is not None
    assert mapping.queued_for_delete
    assert (await store.release(term, made_server(1).uid, 3)).finished


async def test_an_address_with_another_holder_is_reported_not_shared(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    await store.restore_claim(term, made_witness(1))
    thief = made_witness(2, nics=made_witness(1).nics)
    restored = await store.restore_claim(term, thief)
    assert restored.lost_nics == thief.nics
    assert (await store.count_addresses(NET)).used == 1


async def test_a_delete_recorded_after_the_backup_is_recorded_again(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    await store.restore_claim(term, made_witness(1))
    ended = made_witness(1, deleted=True)
    assert (await store.restore_claim(term, ended)).changed
    assert not (await store.restore_claim(term, ended)).changed
    mapping = await store.find_mapping(made_server(1).uid)
    assert mapping is not None
    assert mapping.queued_for_delete
    assert await store.find_tombstone(made_server(1).uid) is not None
    assert (await store.release(term, made_server(1).uid, 3)).finished
    assert (await store.count_addresses(NET)).used == 0


async def test_an_older_placements_end_does_not_delete_the_newer_one(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    await store.restore_claim(term, made_witness(1, placement_generation=7, host="hv2"))
    await store.restore_claim(term, made_witness(1, deleted=True))
    mapping = await store.find_mapping(made_server(1).uid)
    assert mapping is not None
    assert not mapping.queued_for_delete
    assert await store.find_tombstone(made_server(1).uid) is None
