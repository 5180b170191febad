"""Batches of claims beside other writers of one MariaDB."""

import asyncio
import threading
from collections.abc import Callable

from pydantic import SecretStr
from sqlalchemy import Connection, text

from kilonova_operator.domain.placement import Claim
from kilonova_operator.services.stores import ApiStore
from kilonova_operator.storage.sql.engine import EngineSettings, build_engine
from kilonova_operator.storage.sql.stores import StoreSettings
from kilonova_operator.storage.sql.urls import parse_url
from support.databases import Databases, made_claim
from support.mariadb import MariaDb
from support.store_contract.claims import ETH0, open_prepared
from support.store_contract.crashes import before_statement, engine_of
from support.store_contract.epoch import run_sql
from support.store_contract.invariants import find_violations
from support.store_contract.processes import *  # noqa: F403
from support.waiting import until

IMPATIENT = StoreSettings(engine=EngineSettings(lock_timeout_seconds=1))


async def claim_some(store: ApiStore, term: object, first: int) -> list[Claim]:
    return await asyncio.gather(
        *(
            store.claim(term, made_claim(n, f"hv{n % 2 + 1}", nics=(ETH0,)))  # type: ignore[arg-type]
            for n in range(first, first + 4)
        )
    )


def at_first(
    prefix: str, act: Callable[[], None]
) -> tuple[list[int], Callable[[int, Connection, str], None]]:
    """Act before the first statement of a kind; the list counts them all."""
    seen: list[int] = []

    def hook(number: int, connection: Connection, statement: str) -> None:
        del connection
        if statement.startswith(prefix):
            seen.append(number)
            if len(seen) == 1:
                act()

    return seen, hook


async def test_a_generation_that_moves_meanwhile_is_read_again(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    step = "UPDATE resource_providers SET generation = generation + 1"
    swaps, hook = at_first("UPDATE resource_providers", lambda: _run(url, step))
    with before_statement(engine_of(store), hook):
        claims = await claim_some(store, term, 0)
    assert len(swaps) == 2, "the whole batch ran once more"
    assert {claim.provider.generation for claim in claims if claim.provider} == {3}
    assert find_violations(url) == {}


async def test_a_server_whose_delete_is_recorded_meanwhile_is_not_placed(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    await claim_some(store, term, 0)
    uid = made_claim(2).server.uid
    deleted = "UPDATE instance_mappings SET queued_for_delete = 1"  # as record_delete
    _, hook = at_first(
        "UPDATE instance_mappings",
        lambda: _run(url, f"{deleted} WHERE server_uid = '{uid}'"),
    )
    with before_statement(engine_of(store), hook):
        outcomes = await asyncio.gather(
            *(store.claim(term, made_claim(n, "hv1", attempt=2)) for n in range(4)),
            return_exceptions=True,
        )
    refused = [type(o).__name__ for o in outcomes if not isinstance(o, Claim)]
    assert refused == ["ServerIsDeleted"]


async def test_a_lock_timeout_is_tried_again(
    databases: Databases, mariadb: MariaDb
) -> None:
    url = databases.api_url()
    _, term = await open_prepared(databases, url=url)
    store = databases.open_api(url, settings=IMPATIENT)
    seen: list[str] = []
    with engine_of(store).connect() as other:
        other.execute(text("SELECT * FROM resource_providers FOR UPDATE"))
        with before_statement(
            engine_of(store),
            lambda n, c, statement: seen.append(statement),
        ):
            claims = asyncio.ensure_future(claim_some(store, term, 0))
            await until(
                lambda: sum(s.startswith("UPDATE resource_p") for s in seen) > 1,
                "the first attempt ran into its timeout",
            )
            other.rollback()
            assert len(await claims) == 4
    assert find_violations(url) == {}


async def test_a_deadlock_is_tried_again(databases: Databases) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    await claim_some(store, term, 0)
    other = build_engine(parse_url("api", url), EngineSettings(pool_size=1)).connect()
    # The other one has changed more rows, so InnoDB ends ours.
    for number in range(200):
        other.execute(
            text("INSERT INTO server_groups VALUES (:uid, 1, 'Affinity', 'Host', 1)"),
            {"uid": f"heavy-{number}"},
        )
    other.execute(text("UPDATE resource_providers SET generation = generation + 1"))
    crossing = threading.Thread(
        target=lambda: other.execute(
            text("UPDATE namespace_usages SET instances = instances")
        )
    )
    # Ours holds the usage by now, and waits for the providers next.
    swaps, hook = at_first("UPDATE resource_providers", crossing.start)
    try:
        with before_statement(engine_of(store), hook):
            claims = asyncio.ensure_future(claim_some(store, term, 10))
            await until(
                lambda: crossing.ident is not None, "the providers are asked for"
            )
            await asyncio.to_thread(crossing.join)
            other.rollback()
            assert len(await claims) == 4
    finally:
        other.close()
        other.engine.dispose()
    assert len(swaps) >= 2, "no deadlock happened"
    assert find_violations(url) == {}


def _run(url: SecretStr, statement: str) -> None:
    run_sql(url, statement)
