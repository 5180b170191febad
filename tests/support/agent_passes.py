"""Counted looks of an agent, for tests of what must not happen."""

import asyncio
from collections.abc import Callable

from kilonova_agent.parts import AgentParts
from kilonova_api.instance import Instance
from support.agent_lab import AgentLab

_PATIENCE_SECONDS = 60.0


async def look_again(lab: AgentLab, *, passes: int, at: Instance | None = None) -> None:
    """Let the agent look at every Instance so often.

    ``at``: an Instance that it must have heard of before.
    """

    def has_heard(parts: AgentParts) -> bool:
        known = parts.feed.list_names() if parts.watch.reported else None
        return known is not None and (at is None or at.metadata.name in known)

    parts = await _until(lab, has_heard, "the agent has heard of its Instances")
    for _ in range(passes):
        parts._look_at_all()
        await parts.queue.wait_idle()


async def until_unheard(lab: AgentLab) -> None:
    """Wait until a heartbeat of the agent failed, with all its retries."""
    await _until(
        lab,
        lambda parts: parts.heartbeat.last_error is not None,
        "the agent's heartbeat failed",
    )


async def _until(
    lab: AgentLab, done: Callable[[AgentParts], bool], what: str
) -> AgentParts:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                parts = lab.agent._parts if lab.agent else None
                if parts is not None and done(parts):
                    return parts
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not so: {what}") from None
