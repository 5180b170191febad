"""Cells, hosts and inventories."""

import pytest

from kilonova_api.names import CELL0_UUID
from kilonova_operator.domain.refusals import HostInOtherCell, HostUnmapped
from support.databases import Databases, made_claim, made_inventories, made_server
from support.store_contract.epoch import prepare_host


async def test_cell0_has_the_uuid_of_zeros_and_others_keep_theirs(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    assert (await store.ensure_cell_mapping(term, "cell0")).uuid == CELL0_UUID
    first = await store.ensure_cell_mapping(term, "cell1", database_id="a")
    second = await store.ensure_cell_mapping(
        term, "cell1", enabled=False, database_id="a"
    )
    assert (second.uuid, second.enabled) == (first.uuid, False)
    listed = await store.list_cell_mappings()
    assert [cell.name for cell in listed] == ["cell0", "cell1"]


async def test_an_inventory_needs_a_cell(databases: Databases) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    with pytest.raises(HostUnmapped, match="hv1"):
        await store.set_inventory(term, "hv1", made_inventories())


async def test_each_change_of_an_inventory_steps_the_generation(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term)
    first = (await store.list_provider_views())[0]
    second = await store.set_inventory(term, "hv1", made_inventories(vcpus=32))
    assert second.generation == first.generation + 1
    assert dict(second.inventories) == made_inventories(vcpus=32)


async def test_a_host_with_claims_changes_no_cell(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term)
    await store.ensure_host_mapping(term, "hv1", "cell2")
    await store.ensure_host_mapping(term, "hv1", "cell1")
    await store.claim(term, made_claim(1))
    with pytest.raises(HostInOtherCell, match="cell1"):
        await store.ensure_host_mapping(term, "hv1", "cell2")
    await store.record_delete(term, made_server(1))
    await store.release(term, made_server(1).uid, 1)
    await store.ensure_host_mapping(term, "hv1", "cell2")
    (mapping,) = await store.list_host_mappings()
    assert mapping.cell == "cell2"
