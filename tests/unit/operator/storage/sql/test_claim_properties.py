"""Whatever is claimed, moved, released and deleted, in any order."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from kilonova_operator.domain.addressing import NetworkRequest
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU
from kilonova_operator.domain.placement import BuryRequest, NicRequest
from kilonova_operator.domain.refusals import ClaimRefused
from kilonova_operator.services.stores import ApiStore
from kilonova_operator.storage.sql.api.burial import StillPlaced
from support.databases import (
    Databases,
    made_claim,
    made_inventories,
    made_server,
    sqlite_urls,
)
from support.memory_folder import memory_folder
from support.store_contract.epoch import API_TABLES, run_sql
from support.store_contract.invariants import find_violations

HOSTS = ("hv1", "hv2")
Step = tuple[str, int, str, int, int | None]

steps = st.tuples(
    st.sampled_from(
        ["claim", "claim", "move", "release", "delete", "retain", "bury", "adopt"]
    ),
    st.integers(0, 4),
    st.sampled_from(HOSTS),
    st.sampled_from([1, 2000, 9000]),
    st.one_of(st.none(), st.integers(3, 7)),
)


@dataclass
class Walk:
    """One database for all sequences: compiling statements takes most of the time."""

    url: SecretStr
    store: ApiStore

    async def follow(self, path: Sequence[Step]) -> dict[str, object]:
        """Take the steps; refusals are answers, everything else is a failure."""
        term = await self._begin()
        for step in path:
            try:
                await self._take(term, step)
            except (ClaimRefused, StillPlaced):
                continue
        violations: dict[str, object] = dict(find_violations(self.url))
        views = {view.host: view for view in await self.store.list_provider_views()}
        claims = [
            claim
            for mapping in await self.store.list_mappings()
            for claim in await self.store.list_claims(mapping.server.uid)
        ]
        for host in HOSTS:
            held_mb = sum(c.amounts[MEMORY_MB] for c in claims if c.host == host)
            if views[host].used[MEMORY_MB] != held_mb:
                violations[f"sum of {host}"] = views[host].used[MEMORY_MB], held_mb
        return violations

    async def _begin(self) -> Term:
        tables = [table for table in API_TABLES if table != "epoch"]
        run_sql(self.url, *(f"DELETE FROM {table}" for table in tables))  # noqa: S608
        term = await self.store.take_term("super", "pod-a")
        for host in HOSTS:
            await self.store.ensure_host_mapping(term, host, "cell1")
            inventories = made_inventories(memory_mb=20000)
            await self.store.set_inventory(term, host, inventories)
        cidr = IPv4Network("10.0.0.0/29")
        request = NetworkRequest("net-1", "NAT", "Network", cidr)
        await self.store.ensure_network(term, request)
        return term

    async def _take(self, term: Term, step: Step) -> None:
        kind, number, host, memory_mb, last_octet = step
        server = made_server(number)
        address = None if last_octet is None else f"10.0.0.{last_octet}"
        amounts = {VCPU: 1, MEMORY_MB: memory_mb, DISK_GB: 1}
        if kind in ("claim", "move"):
            before = await self.store.find_mapping(server.uid)
            attempt = before.attempt + 1 if before and kind == "move" else 1
            nics = (NicRequest("eth0", "net-1", address),)
            request = made_claim(number, host, nics=nics, amounts=amounts)
            await self.store.claim(term, replace(request, attempt=attempt))
        elif kind == "release":
            for held in (await self.store.list_claims(server.uid))[-1:]:
                await self.store.release(term, server.uid, held.placement_generation)
        elif kind == "bury":
            await self.store.bury_in_cell0(term, BuryRequest(server, 1))
        elif kind == "adopt":
            await self._adopt_any(term, number)
        else:
            await self.store.record_delete(term, server, retain=kind == "retain")

    async def _adopt_any(self, term: Term, number: int) -> None:
        """Give the first retained guest to a Server that was never seen."""
        for mapping in await self.store.list_mappings():
            adopter = replace(made_server(number + 100), name=mapping.server.name)
            if mapping.retained and await self.store.find_mapping(adopter.uid) is None:
                await self.store.adopt(term, mapping.instance_uuid, adopter)
                return


@pytest.fixture(scope="module")
def walk(sqlite_template: Path) -> Iterator[Walk]:
    with memory_folder() as folder:
        url = SecretStr(next(sqlite_urls(sqlite_template, folder))[0])
        databases = Databases(iter(()))
        yield Walk(url, databases.open_api(url))
        asyncio.run(databases.close())


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(path=st.lists(steps, min_size=3, max_size=14))
def test_no_sequence_overfills_shares_or_leaks(walk: Walk, path: list[Step]) -> None:
    assert asyncio.run(walk.follow(path)) == {}
