"""From a report to Instance.status."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kilonova_agent.domain.faults import BridgeNotFound, DiskFull
from kilonova_agent.domain.orders import OrderRecord
from kilonova_agent.domain.status import (
    Report,
    build_status,
    report_building,
    report_fault,
    report_hold,
    report_power,
)
from kilonova_agent.drivers.base import GuestPower
from kilonova_api.instance import Instance, InstanceStatus
from support.instances import make_instance

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = OrderRecord(1, 1, "uid", 1, "b1", built_at=NOW, launched_at=NOW)
RUNNING = report_power(GuestPower.RUNNING, wanted_on=False)


def build(
    report: Report,
    *,
    record: OrderRecord | None = RECORD,
    last: InstanceStatus | None = None,
    later_seconds: int = 0,
) -> InstanceStatus:
    wanted = Instance.model_validate(make_instance())
    wanted = wanted.model_copy(update={"status": last or InstanceStatus()})
    now = NOW + timedelta(seconds=later_seconds)
    return build_status(wanted, report, record=record, agent_version="0.1.0", now=now)


def types_of(status: InstanceStatus) -> list[tuple[str, str]]:
    return [(c.type, c.status) for c in status.conditions]


def test_a_status_that_says_the_same_later_is_equal() -> None:
    first = build(RUNNING)
    assert build(RUNNING, last=first, later_seconds=60) == first


def test_a_running_guest_is_ready_and_nothing_else() -> None:
    status = build(RUNNING)
    assert types_of(status) == [("Ready", "True")]
    assert (status.state, status.power_state) == ("ACTIVE", "Running")


def test_building_is_reconciling() -> None:
    status = build(report_building("downloading"), record=None)
    assert types_of(status) == [("Ready", "False"), ("Reconciling", "True")]
    assert (status.state, status.task) == ("BUILD", "downloading")


def test_a_fault_is_stalled_with_its_reason() -> None:
    status = build(report_fault(DiskFull("no room")), record=None)
    assert types_of(status) == [("Ready", "False"), ("Stalled", "True")]
    assert status.fault is not None
    assert (status.fault.reason, status.fault.retryable) == ("DiskFull", True)


def test_a_guest_that_never_ran_may_be_tried_elsewhere() -> None:
    never_ran = replace(RECORD, launched_at=None)
    status = build(report_fault(BridgeNotFound("br0")), record=never_ran)
    assert status.built_at is None


def test_hands_off_keeps_the_last_known_state() -> None:
    last = build(RUNNING)
    report = report_hold("AgentTooOld", "old", last=last, power=GuestPower.RUNNING)

    status = build(report, last=last)

    assert (status.state, status.power_state) == ("ACTIVE", "Running")
    assert status.built_at == NOW
    assert types_of(status) == [("Ready", "False"), ("Stalled", "True")]


def test_a_message_of_any_length_fits() -> None:
    status: Any = build(report_fault(DiskFull("x" * 5000)), record=None)
    assert len(status.fault.message) <= 1024
