"""What Kilonova costs at rest: memory, and writes in an idle minute."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.audit import count_writes
from bench.lab import BenchLab, say
from kilonova_lab.errors import LabError
from kilonova_lab.node import Node

_SETTLE_SECONDS = 45.0
"""Counts in statuses follow within 30 s; then there is nothing left to write."""

_RSS_OF = (
    # The brackets keep the pattern from matching this very command line.
    'for p in $(pgrep -f "bin/[k]ilonova-{}"); do '
    "sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB$/\\1/p' /proc/$p/status; done"
)


@contextmanager
def _at_rest(lab: BenchLab, servers: int) -> Iterator[None]:
    names = [f"r{number}" for number in range(servers)]
    for name in names:
        lab.create(name)
    for name in names:
        lab.await_ready(name)
    say(f"{servers} servers are Ready; waiting until all counts are written")
    time.sleep(_SETTLE_SECONDS)
    yield
    for name in names:
        lab.delete(name)


def measure_memory(lab: BenchLab, *, servers: int = 10) -> dict[str, Any]:
    """Return the resident memory of operator and largest agent, in MB (10^6)."""
    with _at_rest(lab, servers):
        operators = [_read_rss_mb(node, "operator") for node in lab.cluster.nodes]
        agents = [_read_rss_mb(node, "agent") for node in lab.cluster.hypervisors]
    if not (max(operators) and min(agents)):
        raise LabError("no process of the operator, or of an agent, was found")
    return {
        "servers": servers,
        "operator_rss_mb": max(operators),
        "agent_rss_mb": max(agents),
    }


def _read_rss_mb(node: Node, role: str) -> float:
    answer = node.exec(["sh", "-c", _RSS_OF.format(role)])
    kib = [int(line) for line in answer.stdout.split()]
    return round(max(kib, default=0) * 1024 / 1e6, 1)


def measure_idle(
    lab: BenchLab, *, servers: int = 10, seconds: int = 60
) -> dict[str, Any]:
    """Return how many writes of ours an idle minute has, upkeep left out."""
    with _at_rest(lab, servers):
        start = lab.cluster.audit_log.stat().st_size
        time.sleep(seconds)
        count = count_writes(lab.cluster.audit_log, offset=start)
    for kind, times in count.kinds.items():
        say(f"{times} x {kind}")
    return {"seconds": seconds, "writes": count.per_server + count.aggregate}
