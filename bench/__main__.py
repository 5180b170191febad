"""``python -m bench NAME``: measure, and print one JSON line last."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from bench.boot import measure_boot
from bench.lab import BenchLab, open_lab
from bench.rest import measure_idle, measure_memory
from bench.writes import measure_writes

BENCHES: dict[str, Callable[[BenchLab], dict[str, Any]]] = {
    "boot": measure_boot,
    "idle": measure_idle,
    "memory": measure_memory,
    "writes": measure_writes,
}


def main() -> None:
    """Run one measurement."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=sorted(BENCHES))
    arguments = parser.parse_args()
    with open_lab() as lab:
        result = BENCHES[arguments.name](lab)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
