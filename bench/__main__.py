"""``python -m bench NAME``: measure, and print one JSON line last."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from bench.boot import measure_boot
from bench.lab import BenchLab, open_lab
from bench.rest import measure_idle, measure_memory
from bench.scheduler import add_arguments, measure_scheduler
from bench.start import measure_start
from bench.writes import measure_writes

BENCHES: dict[str, Callable[[BenchLab], dict[str, Any]]] = {
    "boot": measure_boot,
    "idle": measure_idle,
    "memory": measure_memory,
    "writes": measure_writes,
}
_START, _SCHEDULER = "start", "scheduler"
"""These need no lab: one brings its own up, the other has none."""


def main() -> None:
    """Run one measurement."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True)
    for name in (*BENCHES, _START):
        names.add_parser(name)
    add_arguments(names.add_parser(_SCHEDULER))
    options = parser.parse_args()
    if options.name == _SCHEDULER:
        measured = measure_scheduler(options)
    else:
        measured = measure_start() if options.name == _START else _measure(options.name)
    print(json.dumps(measured))


def _measure(name: str) -> dict[str, Any]:
    with open_lab() as lab:
        return BENCHES[name](lab)


if __name__ == "__main__":
    main()
