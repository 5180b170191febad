"""Servers that are placed at the same moment see each other's choices."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from kilonova_api.kube.resources import Key
from kilonova_api.server_status import Fault
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.placement import Claim, ClaimRequest
from kilonova_operator.domain.refusals import (
    ClaimRefused,
    ConcurrentUpdate,
    DatabaseUnavailable,
    NoAddressLeft,
)
from support.clock import settle
from support.memory_stores import MemoryApiStore
from support.server_lab import ServerLab

NO_ADDRESS = NoAddressLeft("eth0", "private", "10.20.0.0/24")
ROOM = {"hv1": 1024, "hv2": 640, "hv3": 1600}


@dataclass
class SlowStore(MemoryApiStore):
    """A database whose answers take turns of the loop, and that may refuse."""

    hold: asyncio.Event | None = None
    refusals: list[Exception] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def claim(self, term: Term, request: ClaimRequest) -> Claim:
        self.asked.append(request.host)
        await asyncio.sleep(0)
        if self.hold is not None:
            await self.hold.wait()
        if self.refusals:
            raise self.refusals.pop()
        claim = await super().claim(term, request)
        # Committed, and others read it, before the answer is here.
        for _ in range(3):
            await asyncio.sleep(0)
        return claim

    async def list_provider_views(self, hosts: Any = None) -> Any:
        await asyncio.sleep(0)
        return await super().list_provider_views(hosts)


def build_lab(room: dict[str, int]) -> tuple[ServerLab, SlowStore]:
    lab = ServerLab(hosts=())
    store = lab.api = SlowStore(lab.clock)
    for host, memory_mib in room.items():
        lab.add_host(host, memory_mib=memory_mib)
    lab.restart_operator()
    return lab, store


async def place(lab: ServerLab, keys: Iterable[Key]) -> Any:
    """Give each its first reconcile, all of them at once."""
    reconcile = lab.operator.controllers[0].reconcile
    return await asyncio.gather(*map(reconcile, keys), return_exceptions=True)


def spread(store: MemoryApiStore) -> Counter[str]:
    return Counter(held.host for held in store.claims.values())


@pytest.mark.parametrize("servers", [2, 8, 30])
async def test_servers_placed_at_once_spread_as_one_after_another(servers: int) -> None:
    alone, alone_store = build_lab(ROOM)
    for n in range(servers):
        await place(alone, [alone.create_server(f"web-{n}")])
    lab, store = build_lab(ROOM)
    await place(lab, [lab.create_server(f"web-{n}") for n in range(servers)])
    assert spread(store) == spread(alone_store)
    assert spread(store).total() == servers


async def test_what_fits_exactly_is_filled_at_once_and_nobody_is_turned_away() -> None:
    lab, store = build_lab({"hv1": 64 * 6, "hv2": 64 * 3})
    keys = [lab.create_server(f"web-{n}") for n in range(9)]
    assert set(await place(lab, keys)) == {None}
    assert spread(store) == {"hv1": 6, "hv2": 3}
    assert store.writes.count("bury") == 0


async def test_the_last_place_is_not_denied_for_a_claim_that_fails_meanwhile() -> None:
    lab, store = build_lab({"hv1": 64})
    store.hold, store.refusals = asyncio.Event(), [NO_ADDRESS]
    keys = [lab.create_server(name) for name in ("refused", "fits")]
    placing = asyncio.create_task(place(lab, keys))
    await settle()
    store.hold.set()
    await placing
    assert spread(store) == {"hv1": 1}
    assert store.writes == ["claim"], "nobody was parked meanwhile"
    assert lab.server(keys[0]).status.conditions[0].message == str(NO_ADDRESS)


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(NO_ADDRESS, id="refused"),
        pytest.param(DatabaseUnavailable("api", "no answer"), id="unknown"),
    ],
)
async def test_a_claim_that_was_not_made_counts_no_more(refusal: Exception) -> None:
    lab, store = build_lab({"emptier": 1024, "other": 960})
    store.refusals = [refusal]
    await place(lab, [lab.create_server("first")])
    assert store.claims == {}
    await place(lab, [lab.create_server("second")])
    assert spread(store) == {"emptier": 1}


async def test_a_placement_that_is_cut_off_counts_no_more() -> None:
    lab, store = build_lab({"emptier": 1024, "other": 960})
    store.hold = asyncio.Event()
    placing = asyncio.create_task(place(lab, [lab.create_server("first")]))
    await settle()
    placing.cancel()
    await asyncio.gather(placing, return_exceptions=True)
    store.hold = None
    await place(lab, [lab.create_server("second")])
    assert spread(store) == {"emptier": 1}


async def test_what_no_other_host_can_cure_is_not_tried_on_another_host() -> None:
    lab, store = build_lab(ROOM)
    assert isinstance(NO_ADDRESS, ClaimRefused)
    assert not NO_ADDRESS.another_host_may_do
    store.refusals = [NO_ADDRESS]
    key = lab.create_server()
    (again,) = await place(lab, [key])
    assert store.asked == ["hv3"]
    assert again.seconds > 0
    assert store.mappings == {}, "it is not parked as one that fits nowhere"
    assert lab.server(key).status.conditions[0].message == str(NO_ADDRESS)


async def test_a_lost_race_is_tried_on_the_next_host() -> None:
    lab, store = build_lab(ROOM)
    store.refusals = [ConcurrentUpdate("hv3")]
    key = lab.create_server()
    await place(lab, [key])
    assert store.asked == ["hv3", "hv1"]
    record = lab.server(key).status.scheduling
    assert record is not None
    assert [s.constraint for s in record.stages] == ["ConcurrentUpdate"]


async def test_a_failed_build_that_may_not_claim_again_says_why() -> None:
    lab, store = build_lab(ROOM)
    lab.fault = lambda _: Fault(reason="GuestRejected", message="no", retryable=True)
    key = lab.create_server()
    while not store.claims:
        await lab.step()
    store.refusals = [NO_ADDRESS] * 100
    await lab.run(seconds=6)
    assert lab.server(key).status.conditions[0].message == str(NO_ADDRESS)
    assert len(store.claims) == 1, "the failed build keeps what it holds"
    store.refusals, lab.fault = [], lambda _: None
    await lab.run(seconds=60)
    assert lab.server(key).status.state == "ACTIVE"
    assert lab.server(key).status.placement_generation == 2
