"""How often we write to the API server: counted in its audit log."""

from __future__ import annotations

from secrets import token_hex

from bench.lab import BenchLab
from bench.writes import measure_writes
from support.kilonova import Kilonova

MOST_WRITES_A_SERVER = 8
SERVERS = 30


def test_a_server_costs_at_most_eight_writes_from_create_to_gone(
    installed: Kilonova,
) -> None:
    lab = BenchLab(
        installed.cluster, installed.kubectl, installed.image, f"w-{token_hex(3)}"
    )
    lab.prepare()
    measured = measure_writes(lab, servers=SERVERS)
    # Said of builds that last longer than 2 s, on a busy machine: not each Server's.
    writes = round(measured["per_server"] * SERVERS) - measured["shown_builds"]
    assert writes <= MOST_WRITES_A_SERVER * SERVERS, measured
