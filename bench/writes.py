"""API writes by us for one Server, create to gone, from the audit log."""

from __future__ import annotations

from typing import Any

from bench.audit import count_writes
from bench.lab import BenchLab, say


def measure_writes(lab: BenchLab, *, servers: int = 30) -> dict[str, Any]:
    """Let Servers live one after another and count what we wrote.

    Returns ``per_server`` (mean), ``by_role`` (means), ``aggregate`` (writes that
    belong to no single Server, in all) and ``shown_builds``: those writes among
    the Servers' that only said BUILD, of builds that lasted longer than 2 s.
    """
    _live(lab, "warm")  # the image, the network: not part of a Server's life
    start = lab.cluster.audit_log.stat().st_size
    for number in range(servers):
        _live(lab, f"s{number}")
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
        "shown_builds": count.shown_builds,
    }


def _live(lab: BenchLab, name: str) -> None:
    lab.create(name)
    lab.await_ready(name)
    lab.delete(name)
