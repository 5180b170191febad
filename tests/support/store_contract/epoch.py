"""Terms, owners, ticks and freezing."""

from collections.abc import Coroutine
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from kilonova_operator.domain.addressing import NetworkRequest
from kilonova_operator.domain.epoch import NotedTick, Owner, Term
from kilonova_operator.domain.placement import (
    BuryRequest,
    DecisionRecord,
    WitnessedClaim,
)
from kilonova_operator.domain.refusals import (
    DatabaseOwnedByOther,
    DatabaseWentBack,
    PlacementFrozen,
    StaleTerm,
)
from kilonova_operator.services.stores import ApiStore
from kilonova_operator.storage.sql.engine import EngineSettings, build_engine
from kilonova_operator.storage.sql.epoch import REPLACED, WENT_BACK
from kilonova_operator.storage.sql.urls import parse_url
from support.databases import Databases, made_claim, made_inventories, made_server
from support.host_records import made_record


async def prepare_host(store: ApiStore, term: Term, host: str = "hv1") -> None:
    await store.ensure_host_mapping(term, host, "cell1")
    await store.set_inventory(term, host, made_inventories())


Rows = list[tuple[object, ...]]


def run_sql(url: SecretStr, *statements: str) -> list[Rows]:
    """Run statements behind the stores' backs; return the rows of each."""
    engine = build_engine(parse_url("api", url), EngineSettings(pool_size=1))
    found: list[Rows] = []
    with engine.connect() as connection:
        for statement in statements:
            result = connection.execute(text(statement))
            rows = [tuple(row) for row in result] if result.returns_rows else []
            found.append(rows)
        connection.commit()
    engine.dispose()
    return found


API_TABLES = (
    "allocations",
    "cell_mappings",
    "epoch",
    "group_members",
    "host_mappings",
    "host_records",
    "host_rosters",
    "instance_mappings",
    "inventories",
    "ip_allocations",
    "namespace_usages",
    "networks",
    "numa_placements",
    "provider_aggregates",
    "provider_traits",
    "resource_providers",
    "scheduling_decisions",
    "server_groups",
    "tombstones",
)


def dump_tables(url: SecretStr) -> dict[str, Rows]:
    found = run_sql(url, *(f"SELECT * FROM {table}" for table in API_TABLES))  # noqa: S608
    return {
        table: sorted(rows, key=repr)
        for table, rows in zip(API_TABLES, found, strict=True)
    }


async def test_each_term_is_above_the_one_before(databases: Databases) -> None:
    store = databases.open_api()
    first = await store.take_term("super", "pod-a")
    second = await store.take_term("super", "pod-b")
    assert second.number > first.number
    assert second.nonce != first.nonce
    assert second.database_id == first.database_id != ""


async def test_every_committed_write_raises_the_tick_by_one(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    before = (await store.read_epoch()).tick
    assert store.tick == before
    await prepare_host(store, term)
    await store.claim(term, made_claim(1))
    assert (await store.read_epoch()).tick == before + 3
    assert store.tick == before + 3


async def test_a_refused_write_leaves_the_tick(databases: Databases) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term)
    before = (await store.read_epoch()).tick
    with pytest.raises(Exception, match="free"):
        await store.claim(term, made_claim(1, amounts={"MEMORY_MB": 10**6}))
    assert (await store.read_epoch()).tick == before


async def test_what_is_so_already_is_not_written_again(databases: Databases) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await store.ensure_cell_mapping(term, "cell1", database_id="x")
    await prepare_host(store, term)
    before = (await store.read_epoch()).tick
    await store.ensure_cell_mapping(term, "cell1", database_id="x")
    await prepare_host(store, term)
    assert (await store.read_epoch()).tick == before


async def test_a_stale_term_can_write_nothing(databases: Databases) -> None:
    url = databases.api_url()
    old, new = databases.open_api(url), databases.open_api(url)
    stale = await old.take_term("super", "pod-a")
    await prepare_host(old, stale)
    claimed = await old.claim(stale, made_claim(1))
    await new.take_term("super", "pod-b")
    before = dump_tables(url)
    for write in stale_writes(old, stale, claimed.server.uid):
        with pytest.raises(StaleTerm, match="pod-b"):
            await write
    assert dump_tables(url) == before


def stale_writes(
    store: ApiStore, term: Term, uid: str
) -> list[Coroutine[Any, Any, object]]:
    """Every writing call, as a paused leader would make it."""
    network = NetworkRequest(
        "net-9", "NAT", "Network shop/x", cidr=IPv4Network("10.9.0.0/24")
    )
    witness = WitnessedClaim(
        server=made_server(7),
        instance_uuid="i-7",
        host="hv1",
        placement_generation=3,
        amounts={"VCPU": 1},
    )
    return [
        store.claim(term, made_claim(2)),
        # A refusal of a stale leader is no answer either.
        store.claim(term, made_claim(3, host="nowhere")),
        store.claim_all(term, [made_claim(5), made_claim(6)]),
        store.bury_in_cell0(term, BuryRequest(made_server(4), 1)),
        store.release(term, uid, 1),
        store.record_delete(term, made_server(1)),
        store.finish_delete(term, uid),
        store.forget_unplaced(term, uid),
        store.note_object_generation(term, uid, 9),
        store.ensure_network(term, network),
        store.release_network(term, "net-1"),
        store.ensure_cell_mapping(term, "cell9"),
        store.ensure_host_mapping(term, "hv9", "cell1"),
        store.set_inventory(term, "hv1", made_inventories(vcpus=1)),
        store.ensure_provider(term, "nfs"),
        store.set_provider_inventory(term, "nfs", made_inventories()),
        store.set_traits(term, "hv1", ["CUSTOM_X"]),
        store.set_aggregates(term, "hv1", ["agg-1"]),
        store.delete_provider(term, "hv1"),
        store.forget_group(term, "group-1"),
        store.repair_usages(term),
        store.record_decision(term, uid, DecisionRecord("NoValidHost", {})),
        store.keep_hosts(term, [made_record(uid)]),
        store.sweep_rosters(term, older_than=timedelta(0)),
        store.restore_claim(term, witness),
        store.sweep_tombstones(term, older_than=timedelta(0)),
        store.freeze(term, "ObjectsWentBack", "test"),
        store.unfreeze(term),
        store.note_store_version(term, 7),
    ]


async def test_another_owner_refuses_to_start(databases: Databases) -> None:
    url = databases.api_url()
    mine = databases.open_api(url)
    term = await mine.take_term("super", "pod-a")
    other = databases.open_api(url, owner=Owner("cluster-2", "staging/kilonova"))
    with pytest.raises(DatabaseOwnedByOther, match="kilonova-manage db disown"):
        await other.take_term("super", "pod-x")
    await prepare_host(mine, term)  # its term is still the newest


async def test_a_tick_below_the_noted_one_freezes_claims(databases: Databases) -> None:
    url = databases.api_url()
    store = databases.open_api(url)
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term)
    noted = NotedTick(term.database_id, term.number, store.tick)
    assert NotedTick.of_annotation(noted.to_annotation()) == noted
    run_sql(url, "UPDATE epoch SET tick = tick - 1, term = term - 1")

    again = databases.open_api(url)
    new = await again.take_term("super", "pod-b", noted=noted)
    assert (await again.read_epoch()).frozen_reason == WENT_BACK
    assert new.number > term.number
    with pytest.raises(PlacementFrozen, match="backup"):
        await again.claim(new, made_claim(1))
    await again.unfreeze(new)
    assert (await again.read_epoch()).tick > noted.tick
    await again.claim(new, made_claim(1))


async def test_an_untouched_database_is_not_frozen(databases: Databases) -> None:
    url = databases.api_url()
    store = databases.open_api(url)
    term = await store.take_term("super", "pod-a")
    noted = NotedTick(term.database_id, term.number, store.tick)
    again = databases.open_api(url)
    await again.take_term("super", "pod-b", noted=noted)
    assert (await again.read_epoch()).frozen_reason == ""


async def test_another_database_under_the_same_lease_is_frozen(
    databases: Databases,
) -> None:
    store = databases.open_api()
    noted = NotedTick("another-id", 3, 1)
    await store.take_term("super", "pod-a", noted=noted)
    assert (await store.read_epoch()).frozen_reason == REPLACED


async def test_the_term_of_a_replaced_database_is_above_the_noted_one(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a", noted=NotedTick("another-id", 57, 1))
    assert term.number == 58, "Instances carry 57 already, and it never goes back"


async def test_a_term_is_above_what_hosts_were_told(databases: Databases) -> None:
    store = databases.open_api()
    assert (await store.take_term("super", "pod-a", above=57)).number == 58
    assert (await store.take_term("super", "pod-a", above=3)).number == 59


async def test_a_restore_under_a_running_leader_ends_its_term(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store = databases.open_api(url)
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term)
    seen = store.tick
    run_sql(url, f"UPDATE epoch SET tick = {seen - 1}")  # noqa: S608
    with pytest.raises(DatabaseWentBack, match="backup"):
        await store.claim(term, made_claim(1))
    assert (await store.read_epoch()).frozen_reason == WENT_BACK
    assert await store.find_mapping(made_server(1).uid) is None
    before = dump_tables(url)
    # What is allowed while frozen is not: all that this process knows is void.
    with pytest.raises(DatabaseWentBack, match="backup"):
        await store.set_inventory(term, "hv1", made_inventories(vcpus=1))
    assert dump_tables(url) == before

    again = databases.open_api(url)
    new = await again.take_term("super", "pod-b")
    assert (await again.read_epoch()).frozen_reason == WENT_BACK, "to be swept"
    await again.unfreeze(new)
    await again.claim(new, made_claim(1))


async def test_a_frozen_database_refuses_but_can_be_repaired(
    databases: Databases,
) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    await prepare_host(store, term)
    claimed = await store.claim(term, made_claim(1))
    await store.freeze(term, "ObjectsWentBack", "etcd is of yesterday")
    await store.freeze(term, "Other", "the first reason stays")
    for refused in (
        store.claim(term, made_claim(2)),
        store.release(term, claimed.server.uid, 1),
        store.record_delete(term, claimed.server),
    ):
        with pytest.raises(PlacementFrozen, match="ObjectsWentBack"):
            await refused
    await store.set_inventory(term, "hv1", made_inventories(vcpus=8))
    assert await store.find_claim(claimed.server.uid) is not None


async def test_the_store_version_is_kept(databases: Databases) -> None:
    store = databases.open_api()
    term = await store.take_term("super", "pod-a")
    assert await store.read_store_version() == 0
    await store.note_store_version(term, 12345678901)
    assert await store.read_store_version() == 12345678901
