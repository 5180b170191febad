"""The hosts of decisions: kept as long as their decision, and not longer."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.placement import BuryRequest, DecisionRecord
from kilonova_operator.domain.scheduling.host_table import HostTable
from kilonova_operator.domain.scheduling.roster import Roster
from kilonova_operator.services.stores import ApiStore
from support.databases import Databases, made_claim, made_server
from support.host_records import DECIDED, made_record, made_table
from support.store_contract.claims import open_prepared
from support.store_contract.epoch import run_sql


async def decide(store: ApiStore, term: Term, uid: str, number: int = 0) -> None:
    moment = DECIDED + timedelta(seconds=number)
    entry = DecisionRecord("NoValidHost", {}, decided_at=moment)
    await store.record_decision(term, uid, entry)


async def test_the_hosts_of_a_decision_are_read_back_as_they_were(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    table = made_table(40_000)
    entry = DecisionRecord("Claimed", {}, "hv1", decided_at=DECIDED)
    claim = await store.claim(term, replace(made_claim(1), decision=entry))
    uid = claim.server.uid
    await store.keep_hosts(term, [made_record(uid, table=table)])
    (kept,) = await store.list_hosts_kept(uid)
    assert kept.decided_at == (await store.list_decisions(uid))[0].decided_at == DECIDED
    read = HostTable.unpack(kept.table, Roster.unpack(kept.roster.body))
    assert read.list_verdicts() == table.list_verdicts()
    assert len(kept.table) > 1 << 16, "more than a BLOB of MariaDB's takes"


async def test_hosts_may_be_kept_twice_and_none_of_an_unknown_decision(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    uid = made_server(1).uid
    await decide(store, term, uid)
    records = [made_record(uid), made_record(uid, 7), made_record("nobody")]
    for _ in range(2):
        await store.keep_hosts(term, records)
    assert [r.decided_at for r in await store.list_hosts_kept(uid)] == [DECIDED]
    assert await store.list_hosts_kept("nobody") == []


async def test_hosts_go_with_their_decision(databases: Databases) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    uid = made_server(1).uid
    for number in range(5):
        await decide(store, term, uid, number)
        await store.keep_hosts(term, [made_record(uid, number)])
    kept = await store.list_hosts_kept(uid)
    decisions = await store.list_decisions(uid)
    assert [r.decided_at for r in kept] == [d.decided_at for d in decisions]
    assert len(kept) == 3
    ((rows,),) = run_sql(url, "SELECT COUNT(*) FROM host_records")[0]
    assert rows == 3
    late = made_record(uid, 0)
    await store.keep_hosts(term, [late])
    assert len(await store.list_hosts_kept(uid)) == 3, "its decision is gone"


async def test_hosts_go_with_their_server_and_names_when_none_needs_them(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    uid = made_server(1).uid
    entry = DecisionRecord("NoValidHost", {}, decided_at=DECIDED)
    await store.bury_in_cell0(term, BuryRequest(made_server(1), 1, decision=entry))
    await store.keep_hosts(term, [made_record(uid)])
    run_sql(url, "UPDATE host_rosters SET used_at = '2020-01-01 00:00:00.000000'")
    assert await store.sweep_rosters(term, older_than=timedelta(hours=1)) == 0
    assert await store.forget_unplaced(term, uid)
    assert await store.list_hosts_kept(uid) == []
    await store.keep_hosts(term, [made_record(uid)])
    assert await store.list_hosts_kept(uid) == [], "written after the Server went"
    assert await store.sweep_rosters(term, older_than=timedelta(days=9999)) == 0
    assert await store.sweep_rosters(term, older_than=timedelta(hours=1)) == 1
    await decide(store, term, uid, 1)
    await store.keep_hosts(term, [made_record(uid, 1)])
    assert len(await store.list_hosts_kept(uid)) == 1, "the names are written anew"


async def test_none_stay_behind_of_servers_that_go_while_their_hosts_are_written(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    for number in range(1, 13):
        server = made_server(number)
        entry = DecisionRecord("NoValidHost", {}, decided_at=DECIDED)
        await store.bury_in_cell0(term, BuryRequest(server, 1, decision=entry))
        await asyncio.gather(
            store.keep_hosts(term, [made_record(server.uid)]),
            store.forget_unplaced(term, server.uid),
        )
    ((rows,),) = run_sql(url, "SELECT COUNT(*) FROM host_records")[0]
    assert rows == 0


async def test_decisions_and_hosts_of_a_guest_go_with_it_to_who_adopts_it(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    entry = DecisionRecord("Claimed", {}, "hv1", decided_at=DECIDED)
    claim = await store.claim(term, replace(made_claim(1), decision=entry))
    await store.keep_hosts(term, [made_record(claim.server.uid)])
    await store.record_delete(term, claim.server, retain=True)
    adopter = made_server(2)
    await store.adopt(term, claim.instance_uuid, adopter)
    assert await store.list_decisions(claim.server.uid) == []
    assert await store.list_hosts_kept(claim.server.uid) == []
    assert [d.host for d in await store.list_decisions(adopter.uid)] == ["hv1"]
    assert [r.decided_at for r in await store.list_hosts_kept(adopter.uid)] == [DECIDED]


async def test_decisions_share_the_names_of_their_hosts(databases: Databases) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    uids = [made_server(number).uid for number in range(4)]
    for uid in uids:
        await decide(store, term, uid)
    await store.keep_hosts(term, [made_record(uid) for uid in uids[:2]])
    other = made_table(5)
    await store.keep_hosts(
        term, [made_record(uids[2]), made_record(uids[3], table=other)]
    )
    ((rosters,),) = run_sql(url, "SELECT COUNT(*) FROM host_rosters")[0]
    assert rosters == 2
    (kept,) = await store.list_hosts_kept(uids[3])
    assert Roster.unpack(kept.roster.body) == other.roster
