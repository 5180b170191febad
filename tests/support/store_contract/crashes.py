"""Connections lost at every statement: a write is done once or not at all."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.services.stores import ApiStore
from support.databases import SMALL, Databases, made_claim, made_server
from support.store_contract.claims import ETH0, open_prepared
from support.store_contract.epoch import dump_tables
from support.store_contract.invariants import find_violations

CLAIM_STATEMENTS = 15
"""Of first claims with a NIC in one network, no decision and no group."""


def engine_of(store: ApiStore) -> Engine:
    engine: Engine = store._database._engine  # type: ignore[attr-defined]
    return engine


@contextmanager
def before_statement(
    engine: Engine, act: Callable[[int, Connection, str], None]
) -> Iterator[None]:
    """Act before each statement, with its number from 1."""
    numbers = itertools.count(1)

    def hook(connection: Connection, cursor: Any, statement: str, *rest: Any) -> None:
        del cursor, rest
        act(next(numbers), connection, statement)

    event.listen(engine, "before_cursor_execute", hook)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", hook)


@contextmanager
def commit_answer_lost(engine: Engine, times: int = 1) -> Iterator[list[int]]:
    """Lose the answers of the first commits, though they were done."""
    dialect, done = engine.dialect, [0]
    commit = dialect.do_commit

    def lose(connection: Any) -> None:
        commit(connection)
        if done[0] < times:
            done[0] += 1
            lost = ConnectionError("the server's answer never came")
            raise OperationalError("COMMIT", None, lost, connection_invalidated=True)

    dialect.do_commit = lose  # type: ignore[assignment, method-assign]
    try:
        yield done
    finally:
        dialect.do_commit = commit  # type: ignore[method-assign]


def lose_at(number: int) -> Callable[[int, Connection, str], None]:
    """Cut the connection before that statement, once."""

    def act(current: int, connection: Connection, statement: str) -> None:
        if current == number:
            connection.invalidate()
            raise OperationalError(
                statement, None, ConnectionError("cut"), connection_invalidated=True
            )

    return act


@pytest.mark.parametrize("claims", [1, 10])
async def test_any_number_of_claims_is_fifteen_statements_and_a_commit(
    databases: Databases, claims: int
) -> None:
    store, term = await open_prepared(databases)
    await store.claim(term, made_claim(0, nics=(ETH0,)))  # a connection is there
    seen: list[str] = []
    with before_statement(engine_of(store), lambda n, c, text: seen.append(text)):
        await asyncio.gather(
            *(
                store.claim(term, made_claim(n, f"hv{n % 2 + 1}", nics=(ETH0,)))
                for n in range(1, claims + 1)
            )
        )
    statements = [text for text in seen if not text.startswith("BEGIN")]
    assert len(statements) == CLAIM_STATEMENTS, "\n".join(statements)


async def test_a_connection_lost_at_any_statement_of_a_claim_doubles_nothing(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    for number in range(1, CLAIM_STATEMENTS + 2):
        with before_statement(engine_of(store), lose_at(number)):
            request = made_claim(number, f"hv{number % 2 + 1}", nics=(ETH0,))
            claim = await store.claim(term, request)
        assert claim.placement_generation == 1
        assert find_violations(url) == {}
    views = await store.list_provider_views()
    for name, amount in SMALL.items():
        used = sum(view.used[name] for view in views)
        assert used == (CLAIM_STATEMENTS + 1) * amount


async def test_a_write_that_never_gets_through_leaves_nothing(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    before = dump_tables(url)

    def cut(number: int, connection: Connection, statement: str) -> None:
        if "instance_mappings" in statement and statement.startswith("INSERT"):
            connection.invalidate()
            raise OperationalError(
                statement, None, ConnectionError("cut"), connection_invalidated=True
            )

    with (
        before_statement(engine_of(store), cut),
        pytest.raises(DatabaseUnavailable, match="api"),
    ):
        await store.claim(term, made_claim(1, nics=(ETH0,)))
    assert dump_tables(url) == before


async def test_a_commit_whose_answer_is_lost_is_done_once(
    databases: Databases,
) -> None:
    url = databases.api_url()
    store, term = await open_prepared(databases, url=url)
    with commit_answer_lost(engine_of(store)) as lost:
        claim = await store.claim(term, made_claim(1, nics=(ETH0,)))
    assert lost == [1]
    assert claim.placement_generation == 1
    with commit_answer_lost(engine_of(store)):
        await store.record_delete(term, claim.server)
    with commit_answer_lost(engine_of(store)):
        assert (await store.release(term, claim.server.uid, 1)).finished
    assert find_violations(url) == {}
    assert await store.find_mapping(made_server(1).uid) is None
    assert store.tick <= (await store.read_epoch()).tick
