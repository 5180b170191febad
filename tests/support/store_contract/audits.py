"""The audit: nothing on a healthy database, and everything that is wrong."""

from dataclasses import replace

from kilonova_operator.domain.audit import ClaimAudit
from kilonova_operator.domain.placement import BuryRequest
from kilonova_operator.domain.quota import Usage, UsageDrift
from support.databases import Databases, made_claim, made_server
from support.store_contract.claims import ETH0, open_prepared
from support.store_contract.epoch import run_sql
from support.store_contract.invariants import find_violations
from support.store_contract.quotas import NAMESPACE, ONE


async def test_a_healthy_database_has_nothing_to_show(databases: Databases) -> None:
    store, term = await open_prepared(databases)
    assert (await store.audit()).clean
    for number in range(5):
        await store.claim(term, made_claim(number, nics=(ETH0,)))
    await store.claim(term, made_claim(0, "hv2", nics=(ETH0,), attempt=2))
    await store.record_delete(term, made_server(1))
    await store.record_delete(term, made_server(2), retain=True)
    await store.release(term, made_server(3).uid, 1)
    await store.bury_in_cell0(term, BuryRequest(made_server(3), 1))
    await store.bury_in_cell0(term, BuryRequest(made_server(9), 1))
    assert await store.audit() == ClaimAudit()
    assert await store.repair_usages(term) == ()


async def test_an_audit_shows_claims_of_nobody_and_servers_without_one(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    for number in (1, 2, 3):
        await store.claim(term, made_claim(number))
    run_sql(
        url,
        f"DELETE FROM instance_mappings WHERE server_uid = '{made_server(1).uid}'",  # noqa: S608
        f"DELETE FROM allocations WHERE server_uid = '{made_server(2).uid}'",  # noqa: S608
    )
    found = await store.audit()
    assert [claim.server_uid for claim in found.claims_of_nobody] == [
        made_server(1).uid
    ]
    assert [mapping.server for mapping in found.unclaimed] == [made_server(2)]
    assert found.usage_drift == (UsageDrift(NAMESPACE, ONE + ONE + ONE, ONE + ONE),)


async def test_a_drift_of_usage_is_repaired(databases: Databases) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    await store.claim(term, made_claim(1))
    other = replace(made_server(2, namespace="test"), namespace_uid="namespace-2")
    await store.claim(term, replace(made_claim(2), server=other))
    run_sql(
        url,
        "DELETE FROM namespace_usages WHERE namespace_uid = 'namespace-2'",
        "UPDATE namespace_usages SET instances = 7, ram_mib = 0",
        "INSERT INTO namespace_usages VALUES ('namespace-3', 1, 1, 1)",
    )
    drift = await store.repair_usages(term)
    assert drift == (
        UsageDrift(NAMESPACE, Usage(7, 1, 0), ONE),
        UsageDrift("namespace-2", Usage(), ONE),
        UsageDrift("namespace-3", Usage(1, 1, 1), Usage()),
    )
    assert (await store.audit()).clean
    assert await store.repair_usages(term) == ()
    assert find_violations(url) == {}
