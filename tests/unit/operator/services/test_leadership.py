"""Leadership: which roles a process holds, when it gets them, what it notes."""

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest

from kilonova_api.kube.errors import LeaseLost
from kilonova_api.kube.lease import LeaseElector, LeaseSettings
from kilonova_api.kube.lease_record import LeaseName
from kilonova_api.kube.resources import Key
from kilonova_operator.services.leadership import Leadership, tick_annotation
from support.clock import FakeClock, settle
from support.fake_stores import FakeDatabase, FakeEpochStore
from support.memory_api import MemoryApi

LEASE_SECONDS = 15
ROLES = {"super": ("api",), "cell/cell1": ("cell1",)}


class Process:
    """One process that wants every role."""

    def __init__(
        self,
        api: MemoryApi,
        clock: FakeClock,
        databases: list[FakeDatabase],
        name: str,
        *,
        may_lag: tuple[str, ...] = (),
    ) -> None:
        self.api = api
        self.clock = clock
        self.name = name
        self.stores = {db.name: FakeEpochStore(db) for db in databases}
        stores: Any = self.stores
        self.leadership = Leadership(
            self._build_elector, stores, identity=name, clock=clock, random=Random(1)
        )
        self._tasks: list[asyncio.Task[Any]] = []
        taking = self.leadership.take(ROLES, self._start, may_lag=may_lag)
        self.taking = self._start(taking, "take")

    def _start(self, work: Any, name: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        return task

    def _build_elector(
        self, role: str, annotations: Callable[[], Mapping[str, str]]
    ) -> LeaseElector:
        kube: Any = self.api
        return LeaseElector(
            kube,
            LeaseName("system", role, self.name),
            clock=self.clock,
            random=Random(1),
            settings=LeaseSettings(duration_seconds=LEASE_SECONDS),
            notes=annotations,
        )

    def kill(self) -> None:
        for task in self._tasks:
            task.cancel()


class Stage:
    def __init__(self) -> None:
        self.api = MemoryApi()
        self.clock = FakeClock()
        self.databases = [FakeDatabase("api"), FakeDatabase("cell1")]

    def start(self, name: str, *, may_lag: tuple[str, ...] = ()) -> Process:
        return Process(self.api, self.clock, self.databases, name, may_lag=may_lag)

    def holder(self, role: str) -> str:
        spec: dict[str, Any] = self.api.objects[Key("system", role)]["spec"]
        return str(spec["holderIdentity"])

    def note(self, role: str, database: str) -> str:
        metadata = self.api.objects[Key("system", role)]["metadata"]
        return str(metadata["annotations"][tick_annotation(database)])


async def test_a_standby_takes_all_roles_of_a_dead_leader_in_one_lease_time() -> None:
    stage = Stage()
    leader = stage.start("one")
    await settle()
    assert leader.taking.done()
    standby = stage.start("two")
    await stage.clock.advance(60)
    leader.kill()
    died_at = stage.clock.boottime()
    while not standby.taking.done():
        await stage.clock.advance(0.25)
        assert stage.clock.boottime() - died_at <= LEASE_SECONDS + 2
    assert {stage.holder(role) for role in ROLES} == {"two"}
    standby.kill()


async def test_of_two_that_start_at_once_one_gets_all_roles() -> None:
    stage = Stage()
    both = [stage.start("one"), stage.start("two")]
    await stage.clock.advance(120)
    assert [process.taking.done() for process in both] == [True, False]
    assert {stage.holder(role) for role in ROLES} == {"one"}
    for process in both:
        process.kill()


async def test_what_was_written_last_is_noted_when_the_leases_are_given_back() -> None:
    stage = Stage()
    leader = stage.start("one")
    await settle()
    leader.stores["cell1"].database.tick = leader.stores["cell1"].tick = 77
    await leader.leadership.release()
    assert stage.note("cell/cell1", "cell1").endswith("/77")
    stage.databases[1].tick = 50  # an older backup is put in its place
    after = stage.start("two")
    await settle()
    assert after.taking.done()
    assert stage.databases[1].frozen[0] == "DatabaseWentBack"
    after.kill()


async def test_a_role_that_was_given_back_counts_as_lost() -> None:
    stage = Stage()
    leader = stage.start("one")
    await settle()
    leader.leadership.check("super")
    await leader.leadership.release()
    assert not leader.leadership.holds("super")
    with pytest.raises(LeaseLost, match="super"):
        leader.leadership.check("super")


async def test_a_role_whose_database_is_down_holds_up_no_other_role() -> None:
    stage = Stage()
    stage.databases[1].available = False
    process = stage.start("one", may_lag=("cell/cell1",))
    await stage.clock.advance(2)
    assert process.taking.done()
    assert {stage.holder(role) for role in ROLES} == {"one"}, "no other may begin it"
    assert process.leadership.term("api").number == 1
    assert process.leadership.find_term("cell1") is None
    began = asyncio.create_task(process.leadership.wait_term("cell1"))
    await stage.clock.advance(30)
    assert not began.done()
    stage.databases[1].available = True
    await stage.clock.advance(10)
    assert began.done()
    assert process.leadership.term("cell1").number == 1
    process.kill()
