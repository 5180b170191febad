"""The hosts of decisions, as the database keeps them."""

from dataclasses import dataclass
from datetime import datetime

from kilonova_operator.domain.scheduling.roster import PackedRoster


@dataclass(frozen=True, slots=True)
class HostRecord:
    """All hosts of one decision: ``table`` is a packed host table of ``roster``."""

    server_uid: str
    decided_at: datetime
    """Together with the uid it names the decision."""
    roster: PackedRoster
    table: bytes
