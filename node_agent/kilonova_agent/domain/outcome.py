"""What came of working on a guest: what to report, remember and do again."""

from dataclasses import dataclass

from kilonova_agent.domain.orders import OrderRecord
from kilonova_agent.domain.status import Report


@dataclass(frozen=True, slots=True)
class Outcome:
    """``again_seconds``: look at the guest again after so long, without news."""

    report: Report
    record: OrderRecord | None
    again_seconds: float | None = None
