"""Processes that end between two calls, as SIGKILL ends them.

Everything a process does to the outside goes through its ``Wire``. A kill cuts
the wire: the call at hand, and every later one of that process, never returns.
Then whoever keeps the process cancels its tasks and starts another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kilonova_api.kube.resources import Resource
from support.tap import WRITES

DRIVER_CALLS = frozenset(
    {"destroy", "plug", "power_off", "request_shutdown", "spawn", "unplug"}
)
WATCHED_KINDS = frozenset({"Instance", "Secret", "Server"})
When = Literal["before", "after", "answer lost"]


@dataclass
class Script:
    """Which calls of which actor break, each of them once, and how.

    Only calls among ``steps`` break: those that a life in peace has as well.
    """

    actor: str = ""
    when: When = "before"
    lost: Callable[[str], Exception] | None = None
    steps: frozenset[str] = frozenset()
    seen: dict[str, None] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def breaks(self, label: str) -> bool:
        """Tell whether this call is to break; it is asked once for each call."""
        new = label not in self.seen
        self.seen[label] = None
        ours = label in self.steps and label.startswith(f"{self.actor} ")
        return new and ours


@dataclass
class Wire:
    """One process's connection to the outside."""

    actor: str
    script: Script
    cut: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, label: str, do: Callable[[], Awaitable[Any]]) -> Any:
        """Do a call as the script wants it."""
        await self.check()
        if not self.script.breaks(label):
            return await do()
        self.script.broken.append(label)
        if self.script.when == "before":
            return await self.end()
        answer = await do()
        if self.script.when == "after":
            return await self.end()
        assert self.script.lost is not None
        del answer
        raise self.script.lost(label)

    async def check(self) -> None:
        """Never return once the wire is cut."""
        if self.cut.is_set():
            await asyncio.Event().wait()

    async def end(self) -> Any:
        """End the process here."""
        self.cut.set()
        await asyncio.Event().wait()


class Wired:
    """A kube client, store or driver as one process sees it."""

    def __init__(self, target: Any, wire: Wire, *, name: str = "") -> None:
        self._target = target
        self._wire = wire
        self._name = name

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        watched = name in DRIVER_CALLS if self._name == "driver" else name in WRITES
        if not watched:
            return attribute

        async def wired(*args: Any, **kwargs: Any) -> Any:
            label = self._label(name, args)
            if label is None:
                await self._wire.check()
                return await attribute(*args, **kwargs)
            return await self._wire.call(label, lambda: attribute(*args, **kwargs))

        return wired

    def _label(self, name: str, args: tuple[Any, ...]) -> str | None:
        """Name a call by what it does; None for what no Server needs."""
        actor = self._wire.actor
        if args and isinstance(args[0], Resource):
            if args[0].kind not in WATCHED_KINDS:
                return None
            return f"{actor} {name} {args[0].kind}{_detail(args[1:])}"
        return f"{actor} {self._name}.{name}{_detail(args)}"


def _detail(args: tuple[Any, ...]) -> str:
    """Tell apart calls of one name: an order and its end, a status and another."""
    for argument in args:
        state = getattr(argument, "state", None)
        if state:
            return f" {state}"
        if isinstance(argument, Mapping):
            status = argument.get("status", {})
            ready = [
                c["reason"]
                for c in status.get("conditions", ())
                if c["type"] == "Ready"
            ]
            return f" {ready[0]}" if ready else ""
    return ""
