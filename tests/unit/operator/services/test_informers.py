"""What the operator's informers take for a store that went back."""

import asyncio
from dataclasses import fields
from random import Random

import pytest

from kilonova_api.kube.errors import StoreWentBack
from kilonova_operator.services.informers import Informers, build_informers
from support.clock import FakeClock, settle
from support.memory_api import MemoryApi

OURS = (
    "servers",
    "instances",
    "compute_hosts",
    "host_aggregates",
    "server_quotas",
)
OTHERS = sorted({field.name for field in fields(Informers)} - set(OURS))


async def run_from(version: int, name: str) -> asyncio.Task[None]:
    """Start an informer on a store of that version, where ours had reached 500."""
    clock = FakeClock()
    built = build_informers(
        MemoryApi(version), clock=clock, random=Random(1), floor=500
    )
    task: asyncio.Task[None] = asyncio.create_task(getattr(built, name).run())
    await settle()
    return task


@pytest.mark.parametrize("name", OTHERS)
async def test_kinds_with_an_etcd_of_their_own_have_versions_of_their_own(
    name: str,
) -> None:
    task = await run_from(20, name)
    if task.done():
        task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("name", OURS)
async def test_our_kinds_are_never_older_than_what_was_read_at_the_start(
    name: str,
) -> None:
    task = await run_from(20, name)
    with pytest.raises(StoreWentBack):
        task.result()
