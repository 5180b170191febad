"""A frozen installation names the hosts it waits for, and hears a person."""

import asyncio
from random import Random
from typing import Any, cast

import pytest

from kilonova_api.cell import Cell
from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.resources import Key
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.silent_hosts import (
    GO_ON_ANNOTATION,
    PROBLEM_TOPIC,
    SilentHosts,
)
from kilonova_operator.services.store_freeze import Freeze, Frozen
from kilonova_operator.services.store_sweep import StoreSweep
from support.clock import FakeClock
from support.memory_cluster import MemoryCluster
from support.memory_informer import MemoryInformer


class Scene:
    """Three of seven hosts are silent, which is too many to call any down."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = MemoryCluster(self.clock)
        self.freeze = Freeze()
        self.problems: dict[str, str | None] = {}
        self.woken: list[Key] = []
        feeds = Feeds()
        feeds.subscribe(Feed(FeedKind.CELLS), self.woken.append)
        self.annotate(None)
        for number in range(1, 8):
            self.set_state(f"hv{number}", "Unknown" if number > 4 else "Up")
        self.silent = SilentHosts(
            kube=cast("Any", self.cluster),
            hosts=MemoryInformer(
                self.cluster, "ComputeHost", ComputeHost.model_validate
            ),
            freeze=self.freeze,
            feeds=feeds,
            clock=self.clock,
            note_problem=self.problems.__setitem__,
        )

    def set_state(self, host: str, state: str) -> None:
        self.cluster.put(
            ComputeHost.resource(),
            {
                "metadata": {"name": host},
                "spec": {},
                "status": {"state": state, "cell": "cell1"},
            },
        )

    def annotate(self, given: str | None) -> None:
        annotations = {GO_ON_ANNOTATION: given} if given else {}
        body = {"metadata": {"name": "cell1", "annotations": annotations}, "spec": {}}
        self.cluster.put(Cell.resource(), body)


async def test_hosts_that_are_waited_for_are_named_with_the_way_on() -> None:
    scene = Scene()
    assert await scene.silent.find_awaited() == ("hv5", "hv6", "hv7")
    text = scene.freeze.awaited_by("cell1")
    assert "hv5, hv6, hv7" in text
    assert GO_ON_ANNOTATION in text
    assert scene.problems == {PROBLEM_TOPIC: text}
    await scene.silent.find_awaited()
    assert scene.woken == [Key("", "cell1")], "told once, not at each look"


async def test_hosts_that_speak_are_waited_for_no_longer() -> None:
    scene = Scene()
    await scene.silent.find_awaited()
    for number in (5, 6, 7):
        scene.set_state(f"hv{number}", "Up")
    assert await scene.silent.find_awaited() == ()
    assert scene.freeze.awaited_by("cell1") == ""
    assert scene.problems == {PROBLEM_TOPIC: None}


@pytest.mark.parametrize(
    ("given", "believed"),
    [
        pytest.param("2026-01-01T00:00:00Z", True, id="now"),
        pytest.param("2025-12-31T23:30:00Z", True, id="half an hour ago"),
        pytest.param("2025-12-30T00:00:00Z", False, id="of an older freeze"),
        pytest.param("yes", False, id="no time at all"),
    ],
)
async def test_a_persons_fresh_word_lets_the_rest_go_on(
    given: str, *, believed: bool
) -> None:
    scene = Scene()
    scene.annotate(given)
    assert bool(await scene.silent.find_awaited()) is not believed


class SweptStore:
    """Takes the freeze off; remembers that it was asked to."""

    def __init__(self) -> None:
        self.unfrozen = 0

    async def unfreeze(self, term: object) -> None:
        self.unfrozen += 1

    async def repair_usages(self, term: object) -> tuple[()]:
        return ()


class NoWitnesses:
    """No Instance speaks of anything."""

    async def read_all(self) -> list[object]:
        return []


async def nothing() -> None:
    return


async def test_the_sweep_ends_on_a_persons_word_though_hosts_stay_silent() -> None:
    scene, store = Scene(), SweptStore()
    scene.freeze.note(Frozen("api", "DatabaseWentBack", "test"))
    sweep = StoreSweep(
        stores=cast("Any", {"api": store}),
        api=cast("Any", store),
        term=cast("Any", lambda _: None),
        witnesses=cast("Any", NoWitnesses()),
        freeze=scene.freeze,
        silent_hosts=scene.silent,
        reload_hosts=nothing,
        mark_lost=nothing,
        on_lifted=nothing,
        note_problem=scene.problems.__setitem__,
        clock=scene.clock,
        random=Random(1),
        settle_seconds=1,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sweep.run())
        await scene.clock.advance(3600)
        assert scene.freeze.frozen, "nobody said that they are gone for good"
        assert store.unfrozen == 0
        scene.annotate(scene.clock.utcnow().isoformat())
        await scene.clock.advance(10)
    assert not scene.freeze.frozen
    assert store.unfrozen == 1
    assert scene.freeze.awaited_by("cell1") == ""
