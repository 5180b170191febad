"""From a report to Instance.status."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kilonova_agent.domain.faults import BridgeNotFound, DiskFull, GuestRejected
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


REFUSED = (
    "{end}: {at} qemu-system-x86_64: cannot set up guest memory 'pc.ram' "
    "(pid={pid}, fd {fd}, at 0x{at_address:x}) of domain-{count}-web: br{bridge}"
)


def refused(changes: dict[str, Any], *, padding: str = "") -> Report:
    words = {
        "end": "process exited while connecting to monitor",
        "at": "2026-11-22T15:23:18.123456Z",
        "pid": 97,
        "fd": 9,
        "at_address": 0x7F00,
        "count": 1,
        "bridge": 0,
    }
    message = padding + REFUSED.format(**words | changes) + padding
    return report_fault(GuestRejected(message))


@pytest.mark.parametrize("padding", ["", "x" * 900, "2026-11-22 15:00:00 " * 60])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"at": "2026-11-22 16:00:00+0000"}, id="time"),
        pytest.param({"end": "qemu unexpectedly closed the monitor"}, id="wording"),
        pytest.param({"pid": 4194303}, id="process id"),
        pytest.param({"fd": 33}, id="file descriptor"),
        pytest.param({"at_address": 0x7F0012345678}, id="pointer"),
        pytest.param({"count": 1234}, id="number of the start"),
    ],
)
def test_a_fault_that_differs_in_what_changes_each_time_is_an_equal_status(
    changes: dict[str, Any], padding: str
) -> None:
    first = build(refused({}, padding=padding))
    again = build(refused(changes, padding=padding), last=first, later_seconds=60)
    assert again == first


def test_a_fault_that_says_something_else_is_told() -> None:
    first = build(refused({}))
    status = build(refused({"bridge": 1}), last=first)
    assert status.fault is not None
    assert status.fault.message.endswith("br1")
    assert status.conditions[0].message.endswith("br1")
    assert build(report_fault(DiskFull("no room")), last=first).fault != first.fault


def test_a_fault_of_another_order_is_told_as_it_is() -> None:
    first = build(refused({})).model_copy(update={"observed_generation": 7})
    status = build(refused({"pid": 98}), last=first)
    assert status.fault is not None
    assert "pid=98" in status.fault.message
