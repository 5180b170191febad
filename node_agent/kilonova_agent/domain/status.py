"""From what was decided and found to ``Instance.status``. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from kilonova_agent.domain.faults import GuestFault
from kilonova_agent.domain.orders import OrderRecord
from kilonova_agent.domain.wording import say_the_same
from kilonova_agent.drivers.base import Guest, GuestPower
from kilonova_api.instance import Instance, InstanceStatus
from kilonova_api.meta import Condition
from kilonova_api.server_status import Fault, ServerState


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a guest stands: one Ready condition and at most one beside it."""

    ready: Literal["True", "False"]
    reason: str
    message: str
    beside: Literal["Reconciling", "Stalled"] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a status is built from."""

    state: ServerState | None
    judgement: Judgement
    power: GuestPower | None = None
    task: str | None = None
    fault: Fault | None = None


def report_building(task: str, reason: str = "Building", message: str = "") -> Report:
    """Report a guest that is being built."""
    judgement = Judgement("False", reason, message or f"{task}", "Reconciling")
    return Report("BUILD", judgement, task=task)


def report_fault(fault: GuestFault, *, state: ServerState = "ERROR") -> Report:
    """Report a failure that a person, or another host, has to cure.

    How the guest is after it has to be looked for: see ``with_power``.
    """
    return Report(
        state,
        Judgement("False", fault.reason, fault.message, "Stalled"),
        fault=Fault(
            reason=fault.reason, message=fault.message, retryable=fault.retryable
        ),
    )


def with_power(report: Report, guest: Guest | None) -> Report:
    """Add how the guest was found after a failure.

    Said of a guest that is off, or not there, this is the proof that another host
    may be given the build: the guest's addresses are the same there.
    """
    return replace(report, power=guest.power if guest else GuestPower.SHUTDOWN)


def may_go_elsewhere(status: InstanceStatus) -> bool:
    """Tell whether the status gives the build away: it failed, and nothing runs."""
    fault = status.fault
    given = fault is not None and fault.retryable and status.built_at is None
    return given and status.power_state is not None


def report_hold(
    reason: str, message: str, *, last: InstanceStatus, power: GuestPower | None
) -> Report:
    """Report that hands are off; the last known state stays, except a lost disk's."""
    state = "ERROR" if reason == "DiskLost" else last.state
    fault = Fault(reason=reason, message=message) if reason == "DiskLost" else None
    judgement = Judgement("False", reason, message, "Stalled")
    return Report(state, judgement, power=power, fault=fault)


def report_power(power: GuestPower, *, wanted_on: bool) -> Report:
    """Report a guest that is as its order wants it, or on its way there."""
    if power is GuestPower.RUNNING:
        judgement = Judgement("True", "Running", "The guest runs.")
        return Report("ACTIVE", judgement, power=power)
    if power is GuestPower.PAUSED:
        judgement = Judgement("False", "Paused", "The guest is paused on its host.")
        return Report("ACTIVE", judgement, power=power)
    if wanted_on:
        message = "The guest is off and is started again."
        judgement = Judgement("False", "Starting", message, "Reconciling")
        return Report("SHUTOFF", judgement, power=power, task="powering-on")
    judgement = Judgement("True", "Stopped", "The guest is off.")
    return Report("SHUTOFF", judgement, power=power)


def report_stopping(power: GuestPower) -> Report:
    """Report a guest that was asked to shut down."""
    message = "The guest was asked to shut down."
    judgement = Judgement("False", "Stopping", message, "Reconciling")
    return Report("ACTIVE", judgement, power=power, task="powering-off")


def build_status(
    wanted: Instance,
    report: Report,
    *,
    record: OrderRecord | None,
    agent_version: str,
    now: datetime,
) -> InstanceStatus:
    """Build the whole status; what the last one knew of the build stays known."""
    last = wanted.status
    report = _keep_wording(wanted, report)
    built = _shows_disk(report, record)
    return InstanceStatus(
        observed_generation=wanted.metadata.generation,
        conditions=tuple(_build_conditions(wanted, report.judgement, now)),
        state=report.state,
        task=report.task,
        power_state=report.power.value if report.power else None,
        placement_generation=(
            record.placement_generation if record else last.placement_generation
        ),
        built_at=record.built_at if record and built else last.built_at,
        build_id=record.build_id if record and built else last.build_id,
        launched_at=(record and record.launched_at) or last.launched_at,
        agent_version=agent_version,
        fault=report.fault,
    )


def _keep_wording(wanted: Instance, report: Report) -> Report:
    """Leave a message as it is said already, but for times and process ids.

    Or each failure of an order would be news to everybody, and be written.
    """
    new, last = report.judgement, wanted.status
    old = last.condition("Ready")
    if (
        old is None
        or last.observed_generation != wanted.metadata.generation
        or old.reason != new.reason
        or not say_the_same(old.message, new.message)
    ):
        return report
    fault = report.fault
    if fault is not None and fault.message == new.message:
        fault = fault.model_copy(update={"message": old.message})
    return replace(report, judgement=replace(new, message=old.message), fault=fault)


def _shows_disk(report: Report, record: OrderRecord | None) -> bool:
    """Tell whether to report the disk as built.

    Not for a guest that failed before it ever ran: its disk holds nobody's data,
    and as long as it is not reported another host may be tried.
    """
    if record is None or record.built_at is None or record.destroyed:
        return False
    return record.launched_at is not None or report.fault is None


def _build_conditions(
    wanted: Instance, judgement: Judgement, now: datetime
) -> Iterable[Condition]:
    types: list[tuple[str, Literal["True", "False"]]] = [("Ready", judgement.ready)]
    if judgement.beside:
        types.append((judgement.beside, "True"))
    for type_, status in types:
        old = wanted.status.condition(type_)
        same = old is not None and old.status == status
        yield Condition(
            type=type_,
            status=status,
            observed_generation=wanted.metadata.generation,
            last_transition_time=(
                old.last_transition_time if old is not None and same else now
            ),
            reason=judgement.reason,
            message=judgement.message,
        )
