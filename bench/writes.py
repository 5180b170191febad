"""API writes by us for one Server, create to gone, from the audit log."""

from __future__ import annotations

import time
from typing import Any

from bench.audit import count_writes
from bench.lab import BenchLab, say

SLOW_SECONDS = 2.0
"""A build that lasts longer is shown: Instance and Server say BUILD meanwhile."""


def measure_writes(lab: BenchLab, *, servers: int = 30) -> dict[str, Any]:
    """Let Servers live one after another and count what we wrote.

    Returns ``per_server`` (mean), ``by_role`` (means), ``aggregate`` (writes that
    belong to no single Server, in all) and ``slow_builds``: Servers that took more
    than 2 s to be Ready, which may show BUILD meanwhile, in two writes more.
    """
    _live(lab, "warm")  # the image, the network: not part of a Server's life
    start = lab.cluster.audit_log.stat().st_size
    seconds = [_live(lab, f"s{number}") for number in range(servers)]
    count = count_writes(lab.cluster.audit_log, offset=start)
    for kind, times in count.kinds.items():
        say(f"{times / servers:6.2f} a server: {kind}")
    return {
        "servers": servers,
        "per_server": round(count.per_server / servers, 3),
        "by_role": {
            role: round(writes / servers, 3) for role, writes in count.by_role.items()
        },
        "aggregate": count.aggregate,
        "slow_builds": sum(1 for taken in seconds if taken > SLOW_SECONDS),
    }


def _live(lab: BenchLab, name: str) -> float:
    started = time.monotonic()
    lab.create(name)
    lab.await_ready(name)
    taken = time.monotonic() - started
    lab.delete(name)
    return taken
