"""Hosts' NUMA cells as the scheduler sees them: always what the claims hold."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_operator.domain.placement import ClaimRequest, HeldClaim, NumaHold
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.facts import HostFacts
from kilonova_operator.domain.scheduling.numa.claim import NumaClaim
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement
from kilonova_operator.domain.scheduling.numa.recount import recount_host
from kilonova_operator.domain.scheduling.numa.topology import NumaState
from kilonova_operator.services.servers.numa_stock import NumaStock
from support.numa import cpus_taken, pinned_guest
from support.numa_hosts import made_compute_host

HOSTS = ("hv1", "hv2")


@dataclass
class Holds:
    """What the database holds, and a pause before it is told."""

    rows: dict[tuple[str, int], NumaHold] = field(default_factory=dict)
    told: asyncio.Event | None = None

    async def list_numa_placements(
        self, hosts: Iterable[str] | None = None
    ) -> Sequence[NumaHold]:
        rows = list(self.rows.values())
        if self.told is not None:
            await self.told.wait()
        return [r for r in rows if hosts is None or r.host in hosts]

    def claim(self, hold: NumaHold) -> None:
        self.rows[hold.server_uid, hold.placement_generation] = hold

    def release(self, uid: str, generation: int = 1) -> HeldClaim:
        hold = self.rows.pop((uid, generation))
        return HeldClaim(uid, generation, hold.host, {}, numa=hold.placement)

    def on(self, host: str) -> dict[str, NumaPlacement]:
        return {
            f"{uid}/{generation}": hold.placement
            for (uid, generation), hold in self.rows.items()
            if hold.host == host
        }


@dataclass
class Process:
    """One decider: its columns, and what it believes of the cells."""

    database: Holds
    columns: HostColumns = field(default_factory=HostColumns)
    stock: NumaStock = field(init=False)

    def __post_init__(self) -> None:
        self.stock = NumaStock(self.database, self.columns)  # type: ignore[arg-type]
        for host in HOSTS:
            self.columns.set_facts(HostFacts(host, "cell1", up=True, held=False))
            self.stock.set_host(made_compute_host(host))

    def column(self, host: str) -> NumaState | None:
        row = self.columns.find_row(host)
        code = int(self.columns.codes("numa")[row])
        value: NumaState | None = self.columns.values("numa").value(code)
        return value

    def ask(self, host: str, *vcpus: int) -> NumaClaim:
        return self.stock.build_claim(host, pinned_guest(*vcpus))


def counted(database: Holds, process: Process, host: str) -> NumaState:
    topology = process.ask(host, 1).host
    assert topology is not None
    return recount_host(topology, database.on(host)).state


def hold(uid: str, host: str, claim: NumaClaim, database: Holds) -> NumaHold:
    """Claim as the database does: beside all that others hold."""
    place = claim.find_place(database.on(host))
    assert place is not None
    return NumaHold(uid, 1, host, place)


def test_a_claim_under_way_counts_until_it_is_made_or_not() -> None:
    database = Holds()
    process = Process(database)
    empty = process.column("hv1")
    ask = process.ask("hv1", 8)
    process.stock.assume("a", "hv1", ask)
    during = process.column("hv1")
    assert during is not None
    assert during.cells[0].free_dedicated.bit_count() == 0
    process.stock.drop("a")
    assert process.column("hv1") == empty
    process.stock.assume("a", "hv1", ask)
    made = hold("a", "hv1", ask, database)
    process.stock.keep(made)
    database.claim(made)
    assert process.column("hv1") == counted(database, process, "hv1")
    process.stock.given_back(database.release("a"))
    assert process.column("hv1") == empty


def test_nobody_is_turned_away_for_a_claim_that_may_yet_fail() -> None:
    process = Process(Holds())
    empty = process.column("hv1")
    process.stock.assume("a", "hv1", process.ask("hv1", 8, 8))
    full = process.column("hv1")
    with process.stock.nothing_assumed():
        assert process.column("hv1") == empty
    assert process.column("hv1") == full
    assert process.stock.find_state("hv1") == full


def test_a_host_whose_sets_change_keeps_its_guests() -> None:
    database = Holds()
    process = Process(database)
    made = hold("a", "hv1", process.ask("hv1", 4), database)
    database.claim(made)
    process.stock.keep(made)
    assert cpus_taken([made.placement]) == [0, 1, 2, 3]
    process.stock.set_host(
        made_compute_host("hv1", sharedSet="0-3", dedicatedSet="4-15")
    )
    state = process.column("hv1")
    assert state is not None
    assert state.cells[0].free_dedicated.bit_count() == 4
    assert state == counted(database, process, "hv1")
    process.stock.set_host(made_compute_host("hv1"))
    assert process.column("hv1") == counted(database, process, "hv1")


def test_sets_that_cannot_be_leave_the_cells_as_they_were() -> None:
    process = Process(Holds())
    before = process.column("hv1")
    for bad in ({"dedicatedSet": "0-99"}, {"dedicatedSet": "0-3", "sharedSet": "3"}):
        process.stock.set_host(made_compute_host("hv1", **bad))
        assert process.column("hv1") == before


def test_a_host_that_comes_back_has_the_guests_it_had() -> None:
    database = Holds()
    process = Process(database)
    made = hold("a", "hv1", process.ask("hv1", 3), database)
    database.claim(made)
    process.stock.keep(made)
    process.columns.remove("hv1")
    process.stock.remove_host("hv1")
    assert process.stock.find_state("hv1") is None
    process.columns.set_facts(HostFacts("hv1", "cell1", up=True, held=False))
    process.stock.set_host(made_compute_host("hv1"))
    assert process.column("hv1") == counted(database, process, "hv1")


async def test_what_is_claimed_and_released_during_a_reading_counts() -> None:
    database = Holds()
    first = Process(database)
    for uid in ("old", "gone"):
        made = hold(uid, "hv1", first.ask("hv1", 2), database)
        database.claim(made)
    process = Process(database)
    database.told = asyncio.Event()
    reading = asyncio.create_task(process.stock.read())
    await asyncio.sleep(0)
    process.stock.given_back(database.release("gone"))
    made = hold("new", "hv1", process.ask("hv1", 3), database)
    database.claim(made)
    process.stock.keep(made)
    database.told.set()
    await reading
    assert process.column("hv1") == counted(database, process, "hv1")


async def test_a_place_that_changed_its_server_is_read_again() -> None:
    database = Holds()
    process = Process(database)
    made = hold("a", "hv1", process.ask("hv1", 2), database)
    process.stock.keep(made)
    database.claim(replace(made, server_uid="adopter"))
    process.stock.given_back(database.release("adopter"))
    assert process.stock.stale == {"hv1"}
    await process.stock.read(frozenset(process.stock.stale))
    assert not process.stock.stale
    assert process.column("hv1") == counted(database, process, "hv1")


async def test_a_reading_that_fails_is_done_again() -> None:
    process = Process(Holds())
    process.stock.stale.add("hv1")
    process.database.told = asyncio.Event()
    reading = asyncio.create_task(process.stock.read({"hv1"}))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert process.stock.stale == {"hv1"}


@dataclass
class Cloud:
    """Two deciders on one database; each step is one turn of one of them."""

    database: Holds = field(default_factory=Holds)
    processes: list[Process] = field(default_factory=list)
    under_way: dict[str, tuple[int, ClaimRequest]] = field(default_factory=dict)
    answered: dict[str, tuple[int, NumaHold]] = field(default_factory=dict)
    refused: int = 0

    def __post_init__(self) -> None:
        self.processes = [Process(self.database) for _ in range(2)]

    def take(self, step: tuple[str, int, int, Any]) -> None:
        kind, number, which, vcpus = step
        uid, process = f"guest-{number}", self.processes[which]
        if kind == "choose" and uid not in self.under_way and not self.holds(uid):
            host = HOSTS[number % 2]
            numa = process.ask(host, *vcpus)
            process.stock.assume(uid, host, numa)
            server: Any = None
            request = ClaimRequest(server, host, {}, numa=numa)
            self.under_way[uid] = which, request
        elif kind == "commit" and uid in self.under_way:
            self.commit(uid)
        elif kind == "answer" and uid in self.answered:
            which, made = self.answered.pop(uid)
            self.processes[which].stock.keep(made)
        elif kind == "release" and self.holds(uid) and uid not in self.answered:
            given = self.database.release(uid)
            for other in self.processes:
                other.stock.given_back(given)

    def holds(self, uid: str) -> bool:
        return (uid, 1) in self.database.rows

    def commit(self, uid: str) -> None:
        which, request = self.under_way.pop(uid)
        assert request.numa is not None
        place = request.numa.find_place(self.database.on(request.host))
        if place is None:
            self.refused += 1
            self.processes[which].stock.drop(uid)
            return
        made = NumaHold(uid, 1, request.host, place)
        self.database.claim(made)
        self.answered[uid] = which, made

    def find_clash(self) -> list[int]:
        taken = [cpu for h in HOSTS for cpu in cpus_taken(self.database.on(h).values())]
        per_host = [cpus_taken(self.database.on(h).values()) for h in HOSTS]
        assert len(taken) == sum(map(len, per_host))
        return [cpu for cpus in per_host for cpu in cpus if cpus.count(cpu) > 1]


steps = st.tuples(
    st.sampled_from(["choose", "choose", "commit", "answer", "release"]),
    st.integers(0, 7),
    st.integers(0, 1),
    st.sampled_from([(2,), (5,), (8,), (3, 3), (6, 2)]),
)


@settings(max_examples=60, deadline=None)
@given(path=st.lists(steps, min_size=10, max_size=60))
def test_two_deciders_give_no_cpu_twice_and_their_columns_are_a_recount(
    path: list[tuple[str, int, int, Any]],
) -> None:
    cloud = Cloud()
    for step in path:
        cloud.take(step)
        assert cloud.find_clash() == []
    for uid in list(cloud.under_way):
        cloud.commit(uid)
    for uid in list(cloud.answered):
        cloud.take(("answer", int(uid[-1]), 0, ()))
    for process in cloud.processes:
        asyncio.run(process.stock.read())  # what the other one decided
        for host in HOSTS:
            assert process.column(host) == counted(cloud.database, process, host)


def test_the_guest_of_one_process_is_refused_what_another_took() -> None:
    cloud = Cloud()
    for step in (
        ("choose", 0, 0, (8, 8)),
        ("choose", 2, 1, (8, 8)),
        ("commit", 0, 0, ()),
        ("commit", 2, 1, ()),
    ):
        cloud.take(step)
    assert cloud.refused == 1
