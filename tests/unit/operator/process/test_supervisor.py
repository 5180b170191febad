"""The first task that fails ends the process."""

import asyncio

import pytest

from kilonova_operator.process.supervisor import Supervisor


async def fail(text: str) -> None:
    raise RuntimeError(text)


async def test_the_first_failure_is_told() -> None:
    supervisor = Supervisor()
    supervisor.start(asyncio.Event().wait(), "waits")
    supervisor.start(fail("first"), "fails")
    with pytest.raises(RuntimeError, match="first"):
        await supervisor.wait_failed()
    await supervisor.end()


async def test_a_task_that_ends_in_peace_ends_nothing() -> None:
    supervisor = Supervisor()
    await supervisor.start(asyncio.sleep(0), "ends")
    waiting = asyncio.create_task(supervisor.wait_failed())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    await supervisor.end()


async def test_the_end_waits_for_all_tasks_to_clean_up() -> None:
    supervisor = Supervisor()
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("done")

    supervisor.start(work(), "works")
    await asyncio.sleep(0)
    await supervisor.end()
    assert cleaned == ["done"]


async def test_one_task_can_be_ended_before_the_others() -> None:
    supervisor = Supervisor()
    first = supervisor.start(asyncio.Event().wait(), "first")
    second = supervisor.start(asyncio.Event().wait(), "second")
    await supervisor.end(first)
    assert first.cancelled()
    assert not second.done()
    await supervisor.end()
