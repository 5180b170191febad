"""Hosts of made-up decisions."""

from datetime import UTC, datetime, timedelta

import numpy as np

from kilonova_operator.domain.host_records import HostRecord
from kilonova_operator.domain.scheduling.host_table import HostTable
from kilonova_operator.domain.scheduling.roster import Roster

DECIDED = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def made_table(hosts: int = 3, *, seed: int = 1) -> HostTable:
    roster = Roster(
        tuple(f"hv{number}" for number in range(hosts)), ("Rule",), ("RAMWeigher",)
    )
    random = np.random.default_rng(seed)
    judgements = (random.random(hosts) < 0.1).astype(np.uint8)
    passing = int(np.count_nonzero(judgements == 0))
    weights = random.random((1, passing)).astype(np.float32).astype(np.float64)
    return HostTable(roster, judgements, (0,), weights)


def made_record(
    uid: str, number: int = 0, *, table: HostTable | None = None
) -> HostRecord:
    made = table or made_table()
    moment = DECIDED + timedelta(seconds=number)
    return HostRecord(uid, moment, made.roster.pack(), made.pack())
