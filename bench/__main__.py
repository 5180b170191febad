"""``python -m bench NAME``: measure, and print one JSON line last."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from bench.boot import measure_boot
from bench.lab import BenchLab, open_lab
from bench.rest import measure_idle, measure_memory
from bench.start import measure_start
from bench.writes import measure_writes

BENCHES: dict[str, Callable[[BenchLab], dict[str, Any]]] = {
    "boot": measure_boot,
    "idle": measure_idle,
    "memory": measure_memory,
    "writes": measure_writes,
}
_START = "start"
"""Needs no lab: it brings its own up."""


def main() -> None:
    """Run one measurement."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=sorted([*BENCHES, _START]))
    name = parser.parse_args().name
    print(json.dumps(measure_start() if name == _START else _measure(name)))


def _measure(name: str) -> dict[str, Any]:
    with open_lab() as lab:
        return BENCHES[name](lab)


if __name__ == "__main__":
    main()
