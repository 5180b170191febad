"""Killing something right after our n-th audited write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bench.audit import Write, read_writes
from kilonova_lab.node import Node

_POLL_SECONDS = 0.005
_WRITES_SECONDS = 90.0


def list_server_writes(log: Path, offset: int) -> list[Write]:
    """Return our writes for single Servers since an offset of the audit log."""
    writes = read_writes(log, offset=offset)
    return [write for write in writes if write.is_per_server]


@contextmanager
def striking_after(log: Path, count: int, strike: Callable[[], None]) -> Iterator[None]:
    """Strike when the ``count``-th write of ours for a Server stands in the log.

    The block causes the writes; it is left once the blow has fallen. The API
    server logs a write before it answers it, so whoever made it is struck while
    it waits for the answer, or at its next step.
    """
    offset = log.stat().st_size

    def watch() -> None:
        deadline = time.monotonic() + _WRITES_SECONDS
        while len(written := list_server_writes(log, offset)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"no {count} writes came, but {written}")
            time.sleep(_POLL_SECONDS)
        strike()

    with ThreadPoolExecutor(1) as pool:
        struck = pool.submit(watch)
        yield
        struck.result()


def build_killer(*targets: tuple[Node, str]) -> Callable[[], None]:
    """Return what SIGKILLs one program on each node, found by its command line.

    The processes are looked up now, so that the blow falls without delay.
    """
    found = [(node, find_process(node, pattern)) for node, pattern in targets]

    def kill() -> None:
        for node, process in found:
            done = node.exec(["kill", "-KILL", process])
            assert done.returncode == 0, done.stderr

    return kill


def find_process(node: Node, pattern: str) -> str:
    """Return the id of the one process whose command line begins so."""
    listed = node.exec(["pgrep", "-a", "-f", f"^{pattern}"]).stdout.splitlines()
    assert len(listed) == 1, f"{pattern} on {node.name}: {listed}"
    return listed[0].partition(" ")[0]
