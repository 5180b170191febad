"""Places in hosts' NUMA cells: decided and kept with the claim."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Engine, event

from kilonova_operator.domain.placement import Claim, ClaimRequest, NumaHold
from kilonova_operator.domain.refusals import MemberRefused, NumaUnfit
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement
from kilonova_operator.domain.scheduling.numa.topology import HostTopology
from kilonova_operator.services.stores import ApiStore
from support.databases import Databases, made_claim, made_server
from support.numa import (
    cpus_taken,
    floating_guest,
    made_numa_claim,
    made_topology,
    pinned_guest,
)
from support.store_contract.claims import open_prepared
from support.store_contract.deletes import made_witness
from support.store_contract.epoch import prepare_host
from support.store_contract.invariants import find_violations

MINE = made_server(1).uid
SIXTEEN = list(range(16))


def ask(
    number: int,
    *vcpus: int,
    host: str = "hv1",
    topology: HostTopology | None = None,
    **policies: object,
) -> ClaimRequest:
    """A claim of so many dedicated CPUs in each cell; the host has 16 in two cells."""
    guest = pinned_guest(*vcpus, **policies)  # type: ignore[arg-type]
    return replace(made_claim(number, host), numa=made_numa_claim(guest, topology))


async def places(store: ApiStore) -> Sequence[NumaPlacement]:
    return [hold.placement for hold in await store.list_numa_placements()]


async def test_a_claim_holds_its_place_until_it_is_released(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    claim = await store.claim(term, ask(1, 2, 2, emulator_policy="isolate"))
    assert claim.numa is not None
    assert [cell.host_cell for cell in claim.numa.cells] == [0, 1]
    assert len(cpus_taken([claim.numa])) == 5
    found = await store.find_claim(MINE)
    assert found is not None
    assert found.numa == claim.numa
    (held,) = await store.list_claims(MINE)
    assert held.numa == claim.numa
    hold = NumaHold(MINE, 1, "hv1", claim.numa)
    assert await store.list_numa_placements() == [hold]
    assert await store.list_numa_placements(["hv1", "hv9"]) == [hold]
    assert await store.list_numa_placements(["hv2"]) == []
    released = await store.release(term, MINE, 1)
    assert [given.numa for given in released.given_back] == [claim.numa]
    assert await store.list_numa_placements() == []


async def test_a_guest_without_cells_holds_no_place(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    claim = await store.claim(term, made_claim(1))
    assert claim.numa is None
    assert await store.list_numa_placements() == []
    found = await store.find_claim(MINE)
    assert found is not None
    assert found.numa is None


async def test_guests_without_cells_cost_no_statement_more(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        await store.claim(term, made_claim(1))
        await store.release(term, MINE, 1)
        before = [one for one in statements if "numa_placements" in one]
        await store.claim(term, ask(2, 1))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert [one for one in before if "JOIN numa_placements" not in one] == []
    spoken = [one for one in statements if "numa_placements" in one]
    assert len(spoken) == len(before) + 2, "one is read, and one is written"


async def test_every_cpu_is_given_once_and_then_another_host_may_do(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    for number in range(4):
        await store.claim(term, ask(number, 4))
    assert cpus_taken(await places(store)) == SIXTEEN
    with pytest.raises(NumaUnfit, match=r"hv1 has no place .* 1 dedicated") as refused:
        await store.claim(term, ask(9, 1))
    assert refused.value.another_host_may_do
    assert refused.value.constraint == "NUMATopologyFilter"
    assert await store.find_mapping(made_server(9).uid) is None
    await store.claim(term, ask(9, 1, host="hv2"))
    await store.release(term, made_server(2).uid, 1)
    await store.claim(term, ask(10, 4))
    assert cpus_taken(
        h.placement for h in await store.list_numa_placements(["hv1"])
    ) == (SIXTEEN)


async def test_a_host_that_tells_of_no_cells_takes_none_who_wants_some(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    request = ask(1, 1)
    assert request.numa is not None
    unknown = replace(request, numa=replace(request.numa, host=None))
    with pytest.raises(NumaUnfit):
        await store.claim(term, unknown)


async def test_claims_of_one_batch_see_those_before_them(databases: Databases) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    outcomes = await asyncio.gather(
        *(store.claim(term, ask(number, 3)) for number in range(8)),
        return_exceptions=True,
    )
    made = [outcome for outcome in outcomes if isinstance(outcome, Claim)]
    assert len(made) == 4, "two guests of three CPUs in each cell of eight"
    taken = cpus_taken(await places(store))
    assert len(taken) == len(set(taken)) == 12
    refused = [outcome for outcome in outcomes if not isinstance(outcome, Claim)]
    assert all(isinstance(error, NumaUnfit) for error in refused), refused
    assert find_violations(url) == {}


async def test_two_deciders_never_give_one_cpu_twice(databases: Databases) -> None:
    url = databases.api_url()
    stores = [databases.open_api(url) for _ in range(2)]
    term = await stores[0].take_term("super", "pod-a")
    for host in ("hv1", "hv2"):
        await prepare_host(stores[0], term, host)

    async def come_and_go(number: int) -> bool:
        store = stores[number % 2]
        request = ask(number, 1 + number % 3, host=f"hv{1 + number // 3 % 2}")
        try:
            claim = await store.claim(term, request)
        except NumaUnfit:
            return False
        if number % 6 == 0:
            await store.release(term, claim.server.uid, claim.placement_generation)
        return True

    made = await asyncio.gather(*map(come_and_go, range(48)))
    assert False in made, "there was room for all, so nobody was in the way"
    for host in ("hv1", "hv2"):
        held = await stores[0].list_numa_placements([host])
        taken = cpus_taken(hold.placement for hold in held)
        assert len(taken) == len(set(taken)), f"{host}: {taken}"
    assert (await stores[0].audit()).clean
    assert find_violations(url) == {}


async def test_memory_of_a_cell_is_given_once_though_the_host_has_more(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)

    def big(number: int) -> ClaimRequest:
        return ask(number, 1, memory_mib=3000)

    await store.claim(term, big(1))
    await store.claim(term, big(2))
    with pytest.raises(NumaUnfit, match="3000 MiB"):
        await store.claim(term, big(3))


async def test_cells_of_shared_cpus_are_oversold_as_far_as_their_ratio(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    topology = made_topology(1, cpus=2, shared=2)

    def float_on(number: int) -> ClaimRequest:
        claim = made_numa_claim(floating_guest(2, memory_mib=64), topology)
        return replace(made_claim(number), numa=claim)

    for number in range(4):  # two CPUs, four times
        await store.claim(term, float_on(number))
    with pytest.raises(NumaUnfit, match="2 shared CPUs"):
        await store.claim(term, float_on(9))


async def test_members_that_go_together_have_a_place_each_or_none(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    with pytest.raises(MemberRefused) as refused:
        await store.claim_all(term, [ask(number, 5) for number in range(3)])
    assert isinstance(refused.value.refusal, NumaUnfit)
    assert await places(store) == []
    await store.claim_all(term, [ask(number, 5) for number in range(2)])
    taken = cpus_taken(await places(store))
    assert len(taken) == len(set(taken)) == 10


async def test_a_repeated_claim_gets_the_place_it_got(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    request = ask(1, 2)
    first = await store.claim(term, request)
    again = await store.claim(term, request)
    assert again.numa == first.numa
    assert len(await places(store)) == 1


async def test_a_guest_that_moves_holds_both_places_until_the_old_is_released(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    await store.claim(term, ask(1, 4))
    await store.claim(term, replace(ask(1, 4, host="hv2"), attempt=2))
    held = await store.list_claims(MINE)
    assert [(h.host, h.numa is not None) for h in held] == [
        ("hv2", True),
        ("hv1", True),
    ]
    await store.release(term, MINE, 1)
    assert [h.host for h in await store.list_numa_placements()] == ["hv2"]


async def test_a_place_goes_with_its_guest_to_the_server_that_adopts_it(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    old = await store.claim(term, ask(1, 2))
    await store.record_delete(term, old.server, retain=True)
    new = replace(made_server(2), name=old.server.name)
    await store.adopt(term, old.instance_uuid, new)
    found = await store.find_claim(new.uid)
    assert found is not None
    assert found.numa == old.numa
    assert find_violations(url) == {}


async def test_a_lost_place_is_put_back_and_given_to_nobody_else(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    lost = made_numa_claim(pinned_guest(7, 7)).find_place({})
    await store.restore_claim(term, made_witness(1, numa=lost))
    found = await store.find_claim(MINE)
    assert found is not None
    assert found.numa == lost
    beside = await store.claim(term, ask(2, 1, 1))
    assert lost is not None
    assert beside.numa is not None
    assert cpus_taken([lost, beside.numa]) == SIXTEEN
    assert find_violations(url) == {}


async def test_an_audit_tells_of_a_cpu_that_two_claims_hold(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    place = made_numa_claim(pinned_guest(2)).find_place({})
    for number in (1, 2):
        witness = made_witness(number, numa=place, nics=())
        await store.restore_claim(term, witness)
    found = await store.audit()
    assert not found.clean
    (clash,) = found.cpu_clashes
    assert (clash.host, clash.cpus) == ("hv1", "0-1")
    assert (clash.first, clash.second) == (f"{MINE}/3", f"{made_server(2).uid}/3")
    (told,) = found.describe()
    assert told.startswith("given twice: CPU 0-1 of host hv1 belongs to placement")
