"""A tap on every write: counts it, and kills the writer before or after it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

WRITES = frozenset(
    {
        "adopt",
        "apply_existing",
        "apply_new",
        "book_instance",
        "bury_in_cell0",
        "claim",
        "claim_all",
        "create",
        "delete",
        "finish_delete",
        "forget_unplaced",
        "forget_instance",
        "json_patch",
        "keep_hosts",
        "note_object_generation",
        "record_action",
        "record_decision",
        "record_delete",
        "record_fault",
        "release",
        "remove_finalizer",
        "replace",
    }
)


class Killed(BaseException):
    """The process ended here; nothing after this line of it ever ran."""

    def __init__(self, actor: str, call: str) -> None:
        self.actor = actor
        super().__init__(f"{actor} killed at {call}")


@dataclass
class Tap:
    """Sees every write in its order; kills once, at the ``kill_at``-th of them."""

    kill_at: int | None = None
    after: bool = False
    seen: list[str] = field(default_factory=list)
    killed_at: str = ""

    async def write(
        self, actor: str, name: str, call: Callable[[], Awaitable[Any]]
    ) -> Any:
        """Do one write, or end its process before or after it."""
        number = len(self.seen)
        self.seen.append(f"{actor} {name}")
        if number != self.kill_at:
            return await call()
        self.killed_at = self.seen[-1]
        if self.after:
            await call()
        raise Killed(actor, name)


class Tapped:
    """Passes every call on; writes go through the tap."""

    def __init__(self, target: Any, tap: Tap, actor: str) -> None:
        self._target = target
        self._tap = tap
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if name not in WRITES:
            return attribute

        async def tapped(*args: Any, **kwargs: Any) -> Any:
            return await self._tap.write(
                self._actor, name, lambda: attribute(*args, **kwargs)
            )

        return tapped
