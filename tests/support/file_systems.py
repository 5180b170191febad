"""The host's file system, failing or ending its process where a test wants it."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kilonova_agent.storage.file_system import FileSystem, HostFileSystem

_RANDOM = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # a guest
    r"|(?<=\.)[0-9a-f]{8}\b"  # a temporary name, or an entry of the bin
    r"|[0-9a-f]{40}"  # an image
)
# A kill undoes no write: to the process a sync changes nothing.
_NO_CHANGE = {"sync"}


class FailingFileSystem(HostFileSystem):
    """Fails at one kind of step for as long as a block lasts."""

    def __init__(self) -> None:
        self._step = ""
        self._errno = 0

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or name != self._step:
            return super().__getattribute__(name)
        return self._fail

    def _fail(self, *_arguments: object, **_more: object) -> None:
        raise OSError(self._errno, os.strerror(self._errno))

    @contextmanager
    def failing(self, step: str, number: int) -> Iterator[None]:
        """Fail with this errno at every step of this kind."""
        self._step, self._errno = step, number
        try:
            yield
        finally:
            self._step = ""


class Killed(BaseException):
    """The process ended at a write; nothing after it ever ran."""


@dataclass
class FileCut:
    """Ends a process at one of its writes: right after it, or half through it.

    ``is_due`` is asked at each write by its label. After the blow no write of
    this process happens any more, not even one that cleans up.
    """

    is_due: Callable[[str], bool]
    on_kill: Callable[[], object] = lambda: None
    half: bool = False
    seen: list[str] = field(default_factory=list)
    killed_at: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, label: str, do: Callable[[], Any], half: Callable[[], Any]) -> Any:
        """Do one write, and end the process if it is due."""
        with self._lock:
            if self.killed_at:
                raise Killed(self.killed_at)
            self.seen.append(label)
            if not self.is_due(label):
                return do()
            half() if self.half else do()
            self.killed_at = label
        self.on_kill()
        raise Killed(label)


class CutFileSystem:
    """Passes every step on; those that change something go through the cut."""

    def __init__(self, cut: FileCut) -> None:
        self._inner: FileSystem = HostFileSystem()
        self._cut = cut

    def __getattr__(self, name: str) -> Any:
        step = getattr(self._inner, name)
        if name in _NO_CHANGE:
            return step

        def cut(*args: Any, **kwargs: Any) -> Any:
            label = f"{name} {_describe(args)}"
            return self._cut.write(
                label, lambda: step(*args, **kwargs), lambda: _do_half(name, args)
            )

        return cut


def _describe(args: tuple[Any, ...]) -> str:
    """Name what is written: without guests, hashes and random parts."""
    paths = [arg for arg in args if isinstance(arg, Path)]
    parts = [
        Path(f"/proc/self/fd/{arg.fileno()}").readlink()
        for arg in args
        if hasattr(arg, "fileno")
    ]
    names = [_RANDOM.sub("*", f"{p.parent.name}/{p.name}") for p in paths + parts]
    return " to ".join(names)


def _do_half(name: str, args: tuple[Any, ...]) -> None:
    """Do what a kill in the middle leaves: only some steps have a middle."""
    path = args[0]
    if name == "create":
        path.write_bytes(args[1][: len(args[1]) // 2])
    elif name == "append":
        path.write(args[1][: len(args[1]) // 2])
    elif name == "create_sparse":
        path.touch()
    elif name == "remove_tree":
        for left in sorted(path.iterdir())[:1]:
            left.unlink()
