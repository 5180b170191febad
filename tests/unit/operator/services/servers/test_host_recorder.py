"""The hosts of decisions, written a moment later, bounded and with rests."""

from typing import Any

import pytest

from kilonova_api.kube.resources import Key
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.placement import DecisionRecord
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.domain.scheduling.host_table import HostTable
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.host_recorder import (
    HOSTS_NOT_KEPT,
    HostRecorder,
)
from support.clock import FakeClock
from support.memory_stores import MemoryApiStore
from support.scheduling import equal_hosts, made_request, made_scheduler
from support.waiting import until

KEY = Key("", "hosts")
TERM = Term("api", "d", 1, "n", "super", "operator-1")


class Store(MemoryApiStore):
    """One that may be away, and takes its time."""

    away = False
    seconds = 0.0

    async def keep_hosts(self, term: Term, records: Any) -> None:
        if self.away:
            raise DatabaseUnavailable("api", "it is away")
        assert isinstance(self.clock, FakeClock)
        await self.clock.advance(self.seconds)
        await super().keep_hosts(term, records)


class Bench:
    """A recorder, and decisions about Servers."""

    def __init__(self, **changes: Any) -> None:
        self.clock = FakeClock()
        self.api = Store(self.clock)
        self.woken = 0
        self.recorder = HostRecorder(
            api=self.api,  # type: ignore[arg-type]
            duty=Duty(check=lambda: None, check_frozen=lambda: None, term=lambda: TERM),
            clock=self.clock,
            wake=self._wake,
            **changes,
        )
        self._scheduler = made_scheduler(equal_hosts(10))

    def _wake(self, _key: Key) -> None:
        self.woken += 1

    async def decide(self, uid: str) -> DecisionRecord:
        """Decide, record and offer the hosts, as a claim does."""
        await self.clock.advance(0.001)
        keeps = self.recorder.may_keep(uid)
        decision = self.recorder.count(
            self._scheduler.select(made_request(), keeps_hosts=keeps)
        )
        entry = self.recorder.build_entry("Claimed", decision, attempts=1)
        self.api.decisions.setdefault(uid, []).insert(0, entry)
        self.recorder.keep(uid, entry, decision)
        return entry

    async def write(self) -> RetryAfter | None:
        """Take its steps up to its next write."""
        before = self.api.writes.count("keep_hosts")
        while again := await self.recorder.reconcile(KEY):
            if self.api.writes.count("keep_hosts") > before:
                break
            await self.clock.advance(again.seconds)
        return again

    async def write_all(self) -> None:
        while again := await self.recorder.reconcile(KEY):
            await self.clock.advance(again.seconds)

    def kept(self, uid: str) -> int:
        return sum(key[0] == uid for key in self.api.hosts_kept)


async def test_what_was_decided_has_its_hosts_a_moment_later() -> None:
    bench = Bench()
    entry = await bench.decide("a")
    assert bench.woken == 1
    assert HOSTS_NOT_KEPT not in entry.record
    assert bench.kept("a") == 0
    await bench.write_all()
    (record,) = bench.api.hosts_kept.values()
    assert record.decided_at == entry.decided_at
    assert record.roster.digest
    assert len(record.table) > 0


async def test_where_there_is_no_room_the_record_says_so() -> None:
    bench = Bench(most_bytes=1)
    assert HOSTS_NOT_KEPT not in (await bench.decide("a")).record
    for uid in ("b", "c"):
        record = (await bench.decide(uid)).record
        assert "1 decisions before it waited" in record[HOSTS_NOT_KEPT]
        assert record["hostsConsidered"] == 10
    await bench.write_all()
    assert [bench.kept(uid) for uid in "abc"] == [1, 0, 0]
    await until(lambda: bench.recorder.may_keep("d"), "there is room again")


async def test_without_room_the_newest_of_a_server_takes_that_of_the_one_before() -> (
    None
):
    bench = Bench(most_bytes=1)
    older = await bench.decide("a")
    newer = await bench.decide("a")
    assert HOSTS_NOT_KEPT not in newer.record
    await bench.write_all()
    assert ("a", newer.decided_at) in bench.api.hosts_kept
    assert ("a", older.decided_at) not in bench.api.hosts_kept


async def test_a_decision_that_came_to_nothing_gives_its_room_back() -> None:
    bench = Bench(most_bytes=1)
    scheduler = made_scheduler(equal_hosts(10))
    lost = bench.recorder.count(scheduler.select(made_request(), keeps_hosts=True))
    assert not bench.recorder.may_keep("a")
    del lost
    await until(lambda: bench.recorder.may_keep("a"), "there is room again")


async def test_many_are_written_together_and_then_it_rests() -> None:
    bench = Bench()
    bench.api.seconds = 0.5
    for number in range(100):
        await bench.decide(f"s{number}")
    again = await bench.write()
    assert again is not None
    assert again.seconds == pytest.approx(1.0)
    assert len(bench.api.hosts_kept) == 64
    await bench.decide("late")
    resting = await bench.recorder.reconcile(KEY)
    assert resting is not None
    assert len(bench.api.hosts_kept) == 64, "news do not cut the rest short"
    await bench.write_all()
    assert len(bench.api.hosts_kept) == 101
    assert bench.api.writes.count("keep_hosts") == 2


async def test_each_table_is_packed_by_itself_and_followed_by_a_rest() -> None:
    bench = Bench()
    for uid in ("a", "b"):
        await bench.decide(uid)
    for step in range(2):
        assert not bench.api.hosts_kept, f"step {step}"
        again = await bench.recorder.reconcile(KEY)
        assert again is not None
        await bench.clock.advance(again.seconds)
    await bench.recorder.reconcile(KEY)
    assert len(bench.api.hosts_kept) == 2


async def test_what_is_packed_and_lost_its_place_is_not_written() -> None:
    bench = Bench(most_bytes=1)
    older = await bench.decide("a")
    await bench.recorder.reconcile(KEY)
    newer = await bench.decide("a")
    await bench.write_all()
    assert ("a", newer.decided_at) in bench.api.hosts_kept
    assert ("a", older.decided_at) not in bench.api.hosts_kept


async def test_a_database_that_is_away_is_waited_for_and_nothing_is_lost() -> None:
    bench = Bench()
    await bench.decide("a")
    bench.api.away = True
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await bench.write()
    await bench.decide("b")
    bench.api.away = False
    await bench.write_all()
    assert (bench.kept("a"), bench.kept("b")) == (1, 1)


async def test_what_cannot_be_written_does_not_stand_in_the_way_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    await bench.decide("a")

    def fail(_table: HostTable) -> bytes:
        raise ValueError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(HostTable, "pack", fail)
        with pytest.raises(ValueError, match="a bug"):
            await bench.write()
    await bench.decide("b")
    await bench.write_all()
    assert (bench.kept("a"), bench.kept("b")) == (0, 1)
