"""How long a lab takes to come up once every cache is warm."""

from __future__ import annotations

from typing import Any

from bench.lab import say
from kilonova_lab.cluster import Cluster
from kilonova_lab.deploy.up import build_archives
from kilonova_lab.errors import LabError
from kilonova_lab.stopwatch import Stopwatch

_LAB_ID = "bench-start"


def measure_start(*, starts: int = 2) -> dict[str, Any]:
    """Bring labs up one after another; the last one finds its caches warm.

    ``ready_s``: from the command until nodes are Ready, DNS answers on each and
    Kilonova's images are there. The check that they are is not timed.
    """
    seconds = []
    for number in range(1, starts + 1):
        seconds.append(_start())
        say(f"start {number} of {starts}: {seconds[-1]:.1f} s")
    return {
        "starts": starts,
        "first_s": round(seconds[0], 1),
        "ready_s": round(seconds[-1], 1),
    }


def _start() -> float:
    watch = Stopwatch(say)
    archives = build_archives(watch)
    cluster = Cluster.start(_LAB_ID, archives=archives, report=say)
    seconds = watch.seconds
    try:
        lacked = {n: i for n, i in cluster.import_images(archives).items() if i}
        if lacked:
            raise LabError(f"the lab came up without images: {lacked}")
    finally:
        cluster.stop()
    return seconds
