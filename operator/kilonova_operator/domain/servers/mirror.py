"""What the cell's link says of a Server that has a host."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.instance import Instance, InstanceStatus
from kilonova_api.names import RECONCILE_ANNOTATION
from kilonova_api.server import Server
from kilonova_operator.domain.servers.server_status import (
    LINK_FIELDS,
    SUSPENDED,
    StatusWrite,
    Verdict,
    build_status,
)


@dataclass(frozen=True, slots=True)
class MirrorFacts:
    """What is known beside the Server and its Instance."""

    order_is_current: bool
    """The Instance asks for what the Server asks for."""
    host_is_down: bool = False
    user_data_changed: bool = False


def build_mirror(
    server: Server, instance: Instance, facts: MirrorFacts, *, now: datetime
) -> StatusWrite | None:
    """Build the status from the agent's words; None while there are none.

    A host that keeps its hands off a guest it never had says why, and no state;
    a host that is down says nothing at all. Both are news.
    """
    said = instance.status
    if said.state is None and not (facts.host_is_down or said.is_true("Stalled")):
        return None
    ready = _ready(server, said, host_is_down=facts.host_is_down)
    followed = server.spec.suspend or (
        facts.order_is_current
        and said.observed_generation >= instance.metadata.generation
    )
    status = build_status(
        server,
        (ready, *_others(server, said, ready, facts)),
        now=now,
        observed_generation=(
            None if followed else max(server.status.observed_generation, 0)
        ),
        state=said.state or server.status.state or "BUILD",
        task=said.task,
        power_state=_power(said),
        fault=said.fault,
        why=None if ready.status == "True" else ready.reason,
        launched_at=server.status.launched_at or said.launched_at,
        last_handled_reconcile_at=handled_reconcile(server),
    )
    return StatusWrite(status, LINK_FIELDS)


def _power(said: InstanceStatus) -> str | None:
    """Return the guest's power; none of a guest that there never was.

    A host says between its attempts at a build that nothing runs: that is for
    its conductor, and would change with each attempt.
    """
    return None if said.fault and said.built_at is None else said.power_state


def build_notice(
    server: Server,
    ready: Verdict,
    *others: Verdict,
    now: datetime,
    task: str | None = None,
) -> StatusWrite:
    """Build a status that keeps what is known and judges it anew."""
    known = server.status
    status = build_status(
        server,
        (ready, *others),
        now=now,
        state=known.state,
        task=task or known.task,
        power_state=known.power_state,
        fault=known.fault,
        why=None if ready.status == "True" else ready.reason,
        launched_at=known.launched_at,
        last_handled_reconcile_at=handled_reconcile(server),
    )
    return StatusWrite(status, LINK_FIELDS)


def handled_reconcile(server: Server) -> str | None:
    """Return the annotation's value as status echoes it."""
    value = server.metadata.annotations.get(RECONCILE_ANNOTATION)
    return value[:128] if value else None


def _ready(server: Server, said: InstanceStatus, *, host_is_down: bool) -> Verdict:
    host = server.status.host
    if host_is_down:
        return Verdict(
            "Ready",
            "Unknown",
            "HostDown",
            f"The heartbeat of host {host} is not heard; this is the last that was "
            "known. The guest may well run on.",
        )
    stalled = said.condition("Stalled")
    if stalled is not None and stalled.status == "True":
        return Verdict("Ready", "False", stalled.reason, stalled.message)
    if said.fault is not None and said.state == "ERROR":
        return Verdict("Ready", "False", said.fault.reason, said.fault.message)
    return _ready_by_state(server, said)


def _ready_by_state(server: Server, said: InstanceStatus) -> Verdict:
    wanted = server.spec.power_state
    if said.state == "ACTIVE":
        if wanted == "Stopped":
            return Verdict("Ready", "False", "Stopping", "The guest is being stopped.")
        return Verdict("Ready", "True", "Running", "The guest runs.")
    if said.state == "SHUTOFF":
        if wanted == "Running":
            return Verdict("Ready", "False", "Starting", "The guest is being started.")
        return Verdict("Ready", "True", "Stopped", "The guest is stopped.")
    if said.state == "BUILD":
        doing = said.task or "building"
        return Verdict("Ready", "False", "Building", f"The host is {doing}.")
    agent = said.condition("Ready")
    if agent is not None and agent.status != "True":
        return Verdict("Ready", agent.status, agent.reason, agent.message)
    return Verdict("Ready", "Unknown", "Unknown", f"The guest is {said.state}.")


def _others(
    server: Server, said: InstanceStatus, ready: Verdict, facts: MirrorFacts
) -> Iterator[Verdict]:
    if said.state == "ERROR" or said.is_true("Stalled"):
        yield Verdict("Stalled", "True", ready.reason, ready.message)
    elif ready.reason in ("Starting", "Stopping"):
        yield Verdict("Reconciling", "True", ready.reason, ready.message)
    if server.spec.suspend:
        yield SUSPENDED
    if facts.user_data_changed:
        yield Verdict(
            "UserDataChanged",
            "True",
            "UserDataChanged",
            "The user data was edited after the guest was built and has no effect "
            "on it. Delete the Server and create it anew to use it.",
        )
