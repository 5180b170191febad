"""When a build is said to run."""

from typing import Any

import pytest

from kilonova_agent.domain.orders import begin
from kilonova_agent.domain.status import Report
from kilonova_agent.services.build_reports import BuildReports
from kilonova_api.instance import Instance, InstanceStatus
from kilonova_api.server_status import Fault
from support.clock import FakeClock
from support.instances import make_instance

FAULT = Fault(reason="GuestRejected", message="no")


class Written:
    """Stands for the writer of statuses."""

    def __init__(self, last: InstanceStatus) -> None:
        self._last = last
        self.states: list[str | None] = []

    def get_last(self, _: Instance) -> InstanceStatus:
        return self._last

    async def write(self, _: Instance, report: Report, __: object) -> None:
        self.states.append(report.state)


@pytest.mark.parametrize(
    ("last", "states"),
    [
        pytest.param({}, ["BUILD"], id="new"),
        pytest.param({"fault": FAULT}, [], id="tried again"),
        pytest.param({"fault": FAULT, "observed_generation": 6}, ["BUILD"], id="other"),
    ],
)
async def test_a_slow_build_is_told_unless_it_failed_before(
    last: dict[str, Any], states: list[str]
) -> None:
    body = make_instance()
    body["metadata"]["generation"] = 7
    wanted = Instance.model_validate(body)
    written: Any = Written(InstanceStatus(**{"observed_generation": 7, **last}))
    clock = FakeClock()
    builds = BuildReports(written, clock, after_seconds=2.0)

    async with builds.reporting(wanted, begin(wanted.spec)):
        await clock.advance(3.0)

    assert written.states == states
