"""What SQLite reads for a claim: rows by an index, never a whole table."""

import asyncio
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, event

from kilonova_operator.domain.groups import GroupClaim
from kilonova_operator.domain.quota import QuotaLimits
from support.databases import Databases, made_claim
from support.store_contract.claims import ETH0, open_prepared
from support.store_contract.crashes import engine_of

Written = tuple[str, Any]


async def test_no_statement_of_a_claim_reads_a_whole_table(
    databases: Databases,
) -> None:
    store, term = await open_prepared(databases)
    seen: list[Written] = []

    def note(
        connection: Connection, cursor: Any, statement: str, values: Any, *rest: Any
    ) -> None:
        del connection, cursor, rest
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen.append((statement, values))

    event.listen(engine_of(store), "before_cursor_execute", note)
    for attempt, host in ((1, "hv1"), (2, "hv2")):  # the second time as a reschedule
        requests = [
            replace(
                made_claim(number, host, nics=(ETH0,), attempt=attempt),
                quota=QuotaLimits(instances=99),
                group=GroupClaim("group-1", "AntiAffinity", max_per_domain=9),
            )
            for number in range(4)
        ]
        await asyncio.gather(*(store.claim(term, request) for request in requests))
    event.remove(engine_of(store), "before_cursor_execute", note)

    assert len(seen) > 20
    with engine_of(store).connect() as connection:
        for statement, values in seen:
            one = values[0] if isinstance(values, list) else values
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", one)
            steps = [row[3] for row in plan]
            assert not [s for s in steps if s.startswith("SCAN")], (statement, steps)
