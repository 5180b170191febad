import asyncio
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from kilonova_api.kube.errors import LeaseLost
from kilonova_api.kube.lease import LeaseElector, LeaseSettings
from kilonova_api.kube.lease_record import LeaseName
from kilonova_api.kube.resources import LEASE, Key
from support.clock import FakeClock, settle
from support.memory_api import MemoryApi, build_unreachable

KEY = Key("system", "super")


def _elector(
    api: MemoryApi,
    clock: FakeClock,
    identity: str,
    notes: Mapping[str, str] | None = None,
) -> LeaseElector:
    return LeaseElector(
        api,  # type: ignore[arg-type]  # the part that Leases need
        LeaseName("system", "super", identity),
        clock=clock,
        random=Random(1),
        settings=LeaseSettings(duration_seconds=15),
        notes=lambda: notes or {},
    )


def _spec(api: MemoryApi) -> dict[str, Any]:
    spec: dict[str, Any] = api.objects[KEY]["spec"]
    return spec


def _break(api: MemoryApi, *broken: str) -> None:
    def fail(what: str) -> None:
        if not broken or what in broken:
            raise build_unreachable()

    api.before_call = fail


async def _holding(
    api: MemoryApi, clock: FakeClock, identity: str = "a", **options: Any
) -> tuple[LeaseElector, asyncio.Task[Any]]:
    elector = _elector(api, clock, identity, **options)
    await elector.acquire()
    task = asyncio.create_task(elector.hold())
    await settle()
    return elector, task


async def test_the_first_comer_holds_a_new_lease() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector = _elector(api, clock, "a")
    with pytest.raises(LeaseLost):
        elector.check()
    taken = await elector.acquire()
    elector.check()
    assert (taken.transitions, dict(taken.annotations)) == (0, {})
    assert _spec(api)["holderIdentity"] == "a"
    assert _spec(api)["leaseDurationSeconds"] == 15


async def test_a_holder_that_renews_keeps_its_followers_waiting() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector, holding = await _holding(api, clock)
    follower = asyncio.create_task(_elector(api, clock, "b").acquire())
    await clock.advance(300)
    assert not follower.done()
    elector.check()
    writes = api.calls.count("replace")
    assert 70 <= writes <= 80  # every 4 s
    for task in (holding, follower):
        task.cancel()


async def test_a_follower_takes_over_after_it_saw_no_change_for_the_whole_time() -> (
    None
):
    api, clock = MemoryApi(), FakeClock()
    await _elector(api, clock, "a").acquire()  # and never renews
    await clock.advance(600)  # old by any clock, but nobody has watched it yet
    follower = asyncio.create_task(_elector(api, clock, "b").acquire())
    await clock.advance(14)
    assert not follower.done()
    await clock.advance(3)
    assert (await follower).transitions == 1
    assert _spec(api)["holderIdentity"] == "b"


async def test_a_wall_clock_that_jumps_takes_no_lease_away() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector, holding = await _holding(api, clock)
    follower = asyncio.create_task(_elector(api, clock, "b").acquire())
    for jump in (86_400, -2 * 86_400, 365 * 86_400):
        clock.shift_wall_clock(jump)
        await clock.advance(30)
    assert not follower.done()
    elector.check()
    for task in (holding, follower):
        task.cancel()


async def test_the_holder_ends_before_anybody_may_follow() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector, holding = await _holding(api, clock)
    follower = asyncio.create_task(_elector(api, clock, "b").acquire())
    await settle()
    _break(api, "replace")
    ended_at = taken_at = 0.0
    for _ in range(400):
        await clock.advance(0.1)
        if holding.done() and not ended_at:
            ended_at = clock.boottime()
            api.before_call = None
        if follower.done() and not taken_at:
            taken_at = clock.boottime()
    with pytest.raises(LeaseLost):
        holding.result()
    with pytest.raises(LeaseLost):
        elector.check()
    assert 1010 <= ended_at <= 1011  # two thirds of 15 s after the last renewal
    assert taken_at - ended_at > 4


async def test_a_process_that_slept_may_not_act_when_it_wakes() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector = _elector(api, clock, "a")
    await elector.acquire()
    await clock.advance(10.5)  # nobody renewed: the process was stopped
    with pytest.raises(LeaseLost):
        elector.check()
    with pytest.raises(LeaseLost):
        await elector.hold()
    assert "replace" not in api.calls


async def test_a_slow_renewal_counts_from_when_it_was_asked_for() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector, holding = await _holding(api, clock)
    api.before_reply = lambda: clock.sleep(3)
    await clock.advance(4)  # asked
    await clock.advance(3.5)  # answered
    assert elector.left_seconds() == pytest.approx(10 - 3.5)
    holding.cancel()


async def test_a_renewal_whose_answer_was_lost_is_no_loss() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector, holding = await _holding(api, clock)
    _break(api, "replaced")  # written, then cut
    await clock.advance(4.5)
    api.before_call = None
    await clock.advance(60)
    elector.check()
    assert not holding.done()
    holding.cancel()


async def test_a_lease_taken_by_another_is_lost_at_once() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector, holding = await _holding(api, clock)
    stolen = api.objects[KEY]
    stolen["spec"]["holderIdentity"] = "thief"
    await api.replace(LEASE, stolen)
    await clock.advance(5)
    with pytest.raises(LeaseLost, match="thief holds it"):
        holding.result()
    with pytest.raises(LeaseLost):
        elector.check()


async def test_of_two_who_race_one_wins() -> None:
    api, clock = MemoryApi(), FakeClock()
    racers = [
        asyncio.create_task(_elector(api, clock, name).acquire()) for name in "abcde"
    ]
    await clock.advance(10)
    assert sum(task.done() for task in racers) == 1
    for task in racers:
        task.cancel()


async def test_a_released_lease_is_taken_without_waiting() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector, holding = await _holding(api, clock, notes={"tick": "42"})
    await clock.advance(5)
    holding.cancel()
    await elector.release()
    with pytest.raises(LeaseLost):
        elector.check()
    assert _spec(api)["holderIdentity"] == ""
    follower = asyncio.create_task(_elector(api, clock, "b").acquire())
    await clock.advance(2)
    taken = await follower
    assert taken.annotations == {"tick": "42"}
    assert taken.transitions == 1


async def test_a_release_that_fails_is_no_error_and_followers_wait() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector, holding = await _holding(api, clock)
    holding.cancel()
    _break(api)
    await elector.release()
    with pytest.raises(LeaseLost):
        elector.check()
    assert _spec(api)["holderIdentity"] == "a"


async def test_notes_go_along_with_each_renewal_and_survive_the_takeover() -> None:
    api, clock = MemoryApi(), FakeClock()
    notes = {"tick": "1"}
    _, holding = await _holding(api, clock, notes=notes)
    await clock.advance(5)
    assert api.objects[KEY]["metadata"]["annotations"] == {"tick": "1"}
    api.objects[KEY]["metadata"]["annotations"]["theirs"] = "kept"
    await api.replace(LEASE, api.objects[KEY])
    notes["tick"] = "2"
    await clock.advance(10)
    both = {"tick": "2", "theirs": "kept"}
    assert api.objects[KEY]["metadata"]["annotations"] == both
    holding.cancel()
    follower = asyncio.create_task(_elector(api, clock, "b", {"tick": "0"}).acquire())
    await clock.advance(20)
    assert (await follower).annotations == both
    # Taking it does not overwrite what the new holder must compare first.
    assert api.objects[KEY]["metadata"]["annotations"] == both


async def test_a_deleted_lease_is_made_again_by_its_holder() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector, holding = await _holding(api, clock)
    follower = asyncio.create_task(_elector(api, clock, "b").acquire())
    await settle()
    del api.objects[KEY]
    await clock.advance(30)
    assert not follower.done()
    elector.check()
    assert _spec(api)["holderIdentity"] == "a"
    for task in (holding, follower):
        task.cancel()


async def test_an_api_server_that_is_away_is_waited_for() -> None:
    api, clock = MemoryApi(), FakeClock()
    _break(api)
    acquiring = asyncio.create_task(_elector(api, clock, "a").acquire())
    await clock.advance(60)
    assert not acquiring.done()
    assert 40 < len(api.calls) < 90
    api.before_call = None
    await clock.advance(2)
    await acquiring


async def test_a_release_writes_the_last_notes() -> None:
    api, clock = MemoryApi(), FakeClock()
    notes = {"tick": "1"}
    elector, holding = await _holding(api, clock, notes=notes)
    await clock.advance(5)
    notes["tick"] = "2"
    holding.cancel()
    await elector.release()
    assert _spec(api)["holderIdentity"] == ""
    assert api.objects[KEY]["metadata"]["annotations"] == {"tick": "2"}


async def test_who_observed_a_dead_holder_need_not_wait_once_more() -> None:
    api, clock = MemoryApi(), FakeClock()
    _, holding = await _holding(api, clock)
    follower = _elector(api, clock, "b")
    observing = asyncio.create_task(follower.observe())
    await clock.advance(20)
    assert _spec(api)["holderIdentity"] == "a"
    holding.cancel()
    await clock.advance(20)
    assert _spec(api)["holderIdentity"] == "a", "who observes takes nothing"
    observing.cancel()
    await asyncio.wait_for(follower.acquire(), 1)
    assert _spec(api)["holderIdentity"] == "b"


async def test_who_observed_a_living_holder_does_not_take_its_lease() -> None:
    api, clock = MemoryApi(), FakeClock()
    elector, _ = await _holding(api, clock)
    follower = _elector(api, clock, "b")
    observing = asyncio.create_task(follower.observe())
    await clock.advance(60)
    observing.cancel()
    acquiring = asyncio.create_task(follower.acquire())
    await clock.advance(60)
    assert not acquiring.done()
    elector.check()
    acquiring.cancel()


async def test_an_observer_outlives_an_api_server_that_is_away() -> None:
    api, clock = MemoryApi(), FakeClock()
    await _holding(api, clock)
    observing = asyncio.create_task(_elector(api, clock, "b").observe())
    _break(api)
    await clock.advance(5)
    assert not observing.done()
    observing.cancel()
