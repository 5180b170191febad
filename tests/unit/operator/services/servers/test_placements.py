"""Where Servers are is read while others are placed and released."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from kilonova_operator.domain.placement import Placement
from kilonova_operator.services.servers.placements import PlacementIndex
from support.clock import settle


class SlowStore:
    """A database that answers when it is told to, or never."""

    def __init__(self, *found: Placement) -> None:
        self.found = found
        self.answers = asyncio.Event()
        self.error: Exception | None = None

    async def list_placements(
        self, *, after: str = "", limit: int = 500
    ) -> Sequence[Placement]:
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        return [p for p in self.found if p.server_uid > after][:1]


def hosts(index: PlacementIndex, *uids: str) -> list[str | None]:
    return [index.find_host(uid) for uid in uids]


async def test_what_changes_while_it_is_read_stays_as_it_became() -> None:
    old = [Placement(uid, "hv1", "g", "") for uid in ("a", "b", "c")]
    store: Any = SlowStore(*old)
    index = PlacementIndex()
    reading = asyncio.create_task(index.read(store))
    await settle()
    index.add("new", "hv2", "g")  # claimed after the database made its answer
    index.remove("b")
    index.add("c", "hv3", None)
    store.answers.set()
    await reading
    assert hosts(index, "a", "b", "c", "new") == ["hv1", None, "hv3", "hv2"]
    assert index.count_members("g", but_not="") == {"hv1": 1, "hv2": 1}


async def test_a_reading_that_fails_changes_nothing() -> None:
    store: Any = SlowStore()
    store.error = OSError("gone")
    store.answers.set()
    index = PlacementIndex()
    index.add("a", "hv1", None)
    with pytest.raises(OSError, match="gone"):
        await index.read(store)
    assert hosts(index, "a") == ["hv1"]
    store.error = None
    await index.read(store)
    assert hosts(index, "a") == [None]
