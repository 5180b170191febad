"""What is said of a host: state, whether new Servers may come, and why not.

The first thing that stands in the way is the reason; the order below is that
of how much it forbids.
"""

from dataclasses import dataclass
from typing import Literal

from kilonova_api.compute_host import ComputeHost
from kilonova_api.names import CELL_LABEL, HYPERVISOR_LABEL
from kilonova_operator.domain.conditions import (
    READY,
    Judgement,
    ready,
    reconciling,
    stalled,
    unknown,
)
from kilonova_operator.domain.hosts.heartbeats import HostState
from kilonova_operator.domain.hosts.identity import IdentityVerdict
from kilonova_operator.domain.hosts.nodes import NodeSummary

CORDONED = "Cordoned"
DISABLED = "Disabled"
FORCED_DOWN = "ForcedDown"
UP = "Up"

Scheduling = Literal["Enabled", "Disabled", "Held"]


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Everything that the judgement of a host rests on."""

    host: ComputeHost
    node: NodeSummary | None
    identity: IdentityVerdict
    heartbeat: HostState
    cell: str
    refusal: Judgement | None = None
    """What the host's cell or namespace forbids, if anything."""

    @property
    def state(self) -> HostState:
        """Return the state.

        A host without its Node is down, heard or not, and one of which an admin
        says so.
        """
        gone = self.node is None or self.host.spec.forced_down
        return "Down" if gone else self.heartbeat


def judge_host(facts: HostFacts) -> Judgement:
    """Return the host's Ready condition."""
    for judgement in (
        _judge_identity(facts),
        facts.refusal,
        _judge_node(facts),
        _judge_forced_down(facts),
        _judge_report(facts),
        _judge_heartbeat(facts),
        _judge_agent(facts),
    ):
        if judgement is not None:
            return judgement
    if facts.host.spec.disabled:
        return ready(DISABLED, _tell_disabled(facts.host.spec.disabled_reason))
    if facts.node is not None and facts.node.cordoned:
        return ready(CORDONED, "Its Node is cordoned: no new Servers.")
    return ready(UP)


def decide_scheduling(facts: HostFacts, judgement: Judgement) -> Scheduling:
    """Tell whether new Servers may be placed on the host; an admin's word first."""
    if facts.host.spec.disabled:
        return "Disabled"
    open_ = judgement.status == "True" and judgement.reason != CORDONED
    return "Enabled" if open_ else "Held"


def build_cell_not_found(cell: str) -> Judgement:
    """Judge a host whose Node names a cell that does not exist here."""
    return stalled(
        "CellNotFound",
        f"There is no cell {cell!r}. Create it, or correct the label {CELL_LABEL} "
        "of the Node.",
    )


def _judge_identity(facts: HostFacts) -> Judgement | None:
    if facts.identity is not IdentityVerdict.CHANGED:
        return None
    report = facts.host.status.agent
    seen = "its agent has not reported yet" if report is None else report.host_id
    return stalled(
        "IdentityChanged",
        "Another system answers under this name (reinstalled, or another "
        f"machine): host id {seen}, accepted is {facts.host.status.host_id}. "
        "Nothing is started, built or destroyed there. To accept it, set "
        "spec.acceptIdentity with this hostId and disks Kept or Lost.",
    )


def _judge_node(facts: HostFacts) -> Judgement | None:
    if facts.node is None:
        return Judgement(
            "False",
            "NodeGone",
            "Its Node does not exist. Guests may live on; they come back with it.",
        )
    if not facts.node.hypervisor:
        return Judgement(
            "False",
            "NotAHypervisor",
            f'Its Node has no label {HYPERVISOR_LABEL}="true": no new Servers.',
        )
    return None


def _judge_forced_down(facts: HostFacts) -> Judgement | None:
    if not facts.host.spec.forced_down:
        return None
    return Judgement(
        "False",
        FORCED_DOWN,
        "An admin says that it is off, so it counts as down whatever its heartbeat "
        "says. Take spec.forcedDown back once it is on again.",
    )


def _tell_disabled(reason: str | None) -> str:
    return f"An admin disabled it: no new Servers. {reason or ''}".rstrip()


def _judge_report(facts: HostFacts) -> Judgement | None:
    if facts.identity is not IdentityVerdict.NOT_SEEN:
        return None
    return reconciling(
        "WaitingForAgent", "Its agent has not reported yet. Look at the agent's Pod."
    )


def _judge_heartbeat(facts: HostFacts) -> Judgement | None:
    if facts.heartbeat == "Down":
        return Judgement(
            "False",
            "HeartbeatLost",
            "Its agent is not heard. Guests there may well run on.",
        )
    if facts.heartbeat == "Unknown":
        return unknown("WaitingForHeartbeat", "Its agent was not heard yet.")
    return None


def _judge_agent(facts: HostFacts) -> Judgement | None:
    """Return what the agent itself says if it is not ready, libvirt away for one."""
    report = facts.host.status.agent
    if report is None:
        return None
    said = next((c for c in report.conditions if c.type == READY), None)
    if said is None or said.status == "True":
        return None
    return Judgement(said.status, said.reason, said.message)
