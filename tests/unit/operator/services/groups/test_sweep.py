"""Rows of groups go with their objects, and not before their members."""

from collections.abc import AsyncIterator
from typing import Any

from kilonova_api.kube.api import ObjectList
from kilonova_api.kube.resources import Key, Resource
from kilonova_operator.services.groups.sweep import SWEEP_SECONDS, GroupSweep
from support.fake_providers import FakeCounts
from support.host_stage import TERM


class Objects:
    """What the API server lists."""

    def __init__(self, *uids: str) -> None:
        self.uids = uids
        self.lists = 0

    async def pages(self, resource: Resource) -> AsyncIterator[ObjectList]:
        self.lists += 1
        yield ObjectList([{"metadata": {"uid": uid}} for uid in self.uids], "1")


def build(counts: FakeCounts, *uids: str) -> tuple[GroupSweep, Objects]:
    objects = Objects(*uids)
    kube: Any = objects
    store: Any = counts
    return GroupSweep(kube, store, lambda: TERM), objects


async def test_only_rows_without_object_and_members_go() -> None:
    counts = FakeCounts(groups={"a", "b", "c"}, held_groups={"b"})
    sweep, _ = build(counts, "a")
    again = await sweep.reconcile(Key("", "cell0"))
    assert counts.groups == {"a", "b"}
    assert again is not None
    assert again.seconds == SWEEP_SECONDS


async def test_it_is_done_once_for_all_cells_and_not_without_rows() -> None:
    counts = FakeCounts()
    sweep, objects = build(counts)
    assert await sweep.reconcile(Key("", "cell1")) is None
    await sweep.reconcile(Key("", "cell0"))
    assert objects.lists == 0
