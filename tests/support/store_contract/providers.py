"""Providers as in Placement: trees, sharing, traits, and their inventories."""

import math
from dataclasses import replace

import pytest

from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, PCPU, VCPU, Inventory
from kilonova_operator.domain.providers import (
    SHARING_TRAIT,
    InventoryInvalid,
    TraitInvalid,
)
from kilonova_operator.domain.refusals import (
    CapacityExceeded,
    ProviderConflict,
    ProviderInUse,
    ProviderNotFound,
)
from support.databases import Databases, made_claim, made_inventories, made_server
from support.store_contract.claims import open_prepared
from support.store_contract.invariants import find_violations

SHARED_POOL = {DISK_GB: Inventory(100, max_unit=100)}
ON_HOST = {VCPU: 1, MEMORY_MB: 1024}


async def test_a_tree_knows_its_root_and_is_taken_down_from_below(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    numa = await store.ensure_provider(term, "hv1_numa0", parent="hv1")
    card = await store.ensure_provider(term, "hv1_gpu0", parent="hv1_numa0")
    assert (numa.parent, numa.root) == ("hv1", "hv1")
    assert (card.parent, card.root) == ("hv1_numa0", "hv1")
    assert await store.ensure_provider(term, "hv1_gpu0", parent="hv1_numa0") == card
    with pytest.raises(ProviderConflict, match="stands elsewhere"):
        await store.ensure_provider(term, "hv1_gpu0", parent="hv1")
    with pytest.raises(ProviderNotFound, match="hv9"):
        await store.ensure_provider(term, "x", parent="hv9")
    with pytest.raises(ProviderInUse, match="hv1_gpu0 stands below"):
        await store.delete_provider(term, "hv1_numa0")
    for name in ("hv1_gpu0", "hv1_gpu0", "hv1_numa0"):
        await store.delete_provider(term, name)
    assert await store.find_provider("hv1_numa0") is None


async def test_a_host_is_the_root_of_its_tree(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    host = await store.find_provider("hv1")
    assert host is not None
    assert (host.is_host, host.root, host.parent) == (True, "hv1", None)
    assert dict(host.inventories) == made_inventories()
    with pytest.raises(ProviderConflict, match="host's own"):
        await store.set_provider_inventory(term, "hv1", SHARED_POOL)
    with pytest.raises(ProviderConflict, match="host's own"):
        await store.ensure_provider(term, "hv1")
    await store.ensure_provider(term, "hv3")
    await store.ensure_host_mapping(term, "hv3", "cell1")
    with pytest.raises(ProviderConflict, match="hv3"):
        await store.set_inventory(term, "hv3", made_inventories())


async def test_every_change_of_a_provider_steps_its_generation(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    made = await store.ensure_provider(term, "nfs")
    filled = await store.set_provider_inventory(term, "nfs", SHARED_POOL)
    shared = await store.set_traits(term, "nfs", [SHARING_TRAIT, "CUSTOM_FAST"])
    joined = await store.set_aggregates(term, "nfs", ["agg-1"])
    generations = [p.generation for p in (made, filled, shared, joined)]
    assert generations == [0, 1, 2, 3]
    assert joined.shares
    assert joined.aggregates == {"agg-1"}
    # What is so already is not written again.
    await store.set_provider_inventory(term, "nfs", SHARED_POOL)
    await store.set_traits(term, "nfs", ["CUSTOM_FAST", SHARING_TRAIT])
    assert await store.set_aggregates(term, "nfs", ["agg-1"]) == joined
    assert await store.list_providers(sharing=True) == [joined]
    names = [p.name for p in await store.list_providers()]
    assert names == ["hv1", "hv2", "nfs"]
    assert [p.name for p in await store.list_providers(after="hv1", limit=1)] == ["hv2"]


async def test_a_placement_may_take_of_a_shared_provider(databases: Databases) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    await store.ensure_provider(term, "nfs")
    await store.set_provider_inventory(term, "nfs", SHARED_POOL)
    request = made_claim(1, amounts=ON_HOST)
    claim = await store.claim(term, replace(request, shared={"nfs": {DISK_GB: 60}}))
    assert claim.shared == {"nfs": {DISK_GB: 60}}
    pool = await store.find_provider("nfs")
    assert pool is not None
    assert (pool.used, pool.generation) == ({DISK_GB: 60}, 2)
    with pytest.raises(CapacityExceeded, match="40 DISK_GB free") as refused:
        await store.claim(
            term,
            replace(made_claim(2, amounts=ON_HOST), shared={"nfs": {DISK_GB: 60}}),
        )
    assert refused.value.host == "nfs"
    with pytest.raises(CapacityExceeded, match="gone has 0 DISK_GB"):
        await store.claim(term, replace(made_claim(3), shared={"gone": {DISK_GB: 1}}))
    (held,) = await store.list_claims(made_server(1).uid)
    assert (held.host, held.amounts, held.shared) == ("hv1", ON_HOST, claim.shared)
    found = await store.find_claim(made_server(1).uid)
    assert found == replace(claim, provider=None)
    with pytest.raises(ProviderInUse, match="claimed"):
        await store.delete_provider(term, "nfs")
    with pytest.raises(ProviderInUse, match="DISK_GB is claimed"):
        await store.set_provider_inventory(term, "nfs", {})
    await store.record_delete(term, made_server(1))
    assert (await store.release(term, made_server(1).uid, 1)).finished
    await store.delete_provider(term, "nfs")
    assert find_violations(url) == {}


async def test_an_inventory_below_what_is_claimed_takes_nobody_new(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    await store.claim(term, made_claim(1))
    view = await store.set_inventory(
        term, "hv1", made_inventories(vcpus=16, memory_mb=1024)
    )
    assert view.free(MEMORY_MB) < 0
    with pytest.raises(CapacityExceeded, match="0 MEMORY_MB free"):
        await store.claim(term, made_claim(2, amounts={MEMORY_MB: 1}))
    assert await store.find_claim(made_server(1).uid) is not None


async def test_a_class_that_a_host_lost_is_closed_while_it_is_claimed(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    both = made_inventories() | {PCPU: Inventory(8), "CUSTOM_FPGA": Inventory(2)}
    await store.set_inventory(term, "hv1", both)
    await store.claim(term, made_claim(1, amounts={PCPU: 2, "CUSTOM_FPGA": 1}))
    view = await store.set_inventory(term, "hv1", made_inventories())
    assert view.used["CUSTOM_FPGA"] == 1
    assert view.inventories[PCPU] == Inventory(total=0)
    tick = (await store.read_epoch()).tick
    assert await store.set_inventory(term, "hv1", made_inventories()) == view
    assert (await store.read_epoch()).tick == tick, "it is so already"
    with pytest.raises(CapacityExceeded, match="PCPU"):
        await store.claim(term, made_claim(2, amounts={PCPU: 1}))
    await store.release(term, made_server(1).uid, 1)
    view = await store.set_inventory(term, "hv1", made_inventories())
    assert dict(view.inventories) == made_inventories()


@pytest.mark.parametrize(
    ("resource_class", "inventory", "says"),
    [
        (VCPU, Inventory(4, allocation_ratio=0.0), "ratio 0.0 must be finite"),
        (VCPU, Inventory(4, allocation_ratio=math.nan), "ratio nan must be finite"),
        (VCPU, Inventory(4, allocation_ratio=math.inf), "ratio inf must be finite"),
        (VCPU, Inventory(4, allocation_ratio=-1.0), "above 0"),
        (VCPU, Inventory(4, reserved=5), "reserved 5 must be 0 to 4"),
        (VCPU, Inventory(-1), "total -1"),
        (VCPU, Inventory(4, step_size=0), "step_size 0 must be 1"),
        (VCPU, Inventory(4, min_unit=0), "min_unit 0 must be 1"),
        (VCPU, Inventory(4, max_unit=2**31), "max_unit"),
        ("vcpus", Inventory(4), "no resource class"),
        ("CUSTOM_low", Inventory(4), "no resource class"),
        ("CUSTOM_" + "A" * 60, Inventory(4), "no resource class"),
    ],
)
async def test_an_inventory_that_makes_no_sense_is_refused(
    databases: Databases, resource_class: str, inventory: Inventory, says: str
) -> None:
    store, term = await open_prepared(databases)
    await store.ensure_provider(term, "nfs")
    for host in ("hv1", "nfs"):
        write = store.set_inventory if host == "hv1" else store.set_provider_inventory
        with pytest.raises(InventoryInvalid, match=says):
            await write(term, host, {resource_class: inventory})
    assert (await store.list_provider_views())[0].inventories == made_inventories()


async def test_a_trait_that_can_be_none_is_refused(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    with pytest.raises(TraitInvalid, match="'hw fast'"):
        await store.set_traits(term, "hv1", ["HW_CPU_X86_AVX2", "hw fast"])
    with pytest.raises(ProviderNotFound, match="hv9"):
        await store.set_traits(term, "hv9", [])
