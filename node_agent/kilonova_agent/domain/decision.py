"""What to do with one guest. Pure: from what is wanted and what is, one decision.

Nova's init_host table (nova.compute.manager._init_instance) and its power-state
sync (_sync_instance_power_state), Nova 34, turned level-triggered: the same
question is asked after every event, restart and crash, and never needs to know
which of them it was. Whatever is doubtful is a ``Hold``: hands off.
"""

from dataclasses import dataclass

from kilonova_agent.domain.orders import OrderRecord
from kilonova_agent.domain.standing import Standing
from kilonova_agent.domain.versions import is_older
from kilonova_agent.drivers.base import Guest, GuestMark
from kilonova_api.instance import Instance


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything a decision looks at."""

    wanted: Instance
    guest: Guest | None
    record: OrderRecord | None
    has_root_disk: bool
    standing: Standing
    frozen_writer: int
    agent_version: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Hands off, and say why. ``silent``: it passes by itself in a moment."""

    reason: str
    message: str
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Destroy:
    """End the guest, bin its disks, take the Instance away."""

    up_to_generation: int


@dataclass(frozen=True, slots=True)
class Build:
    """Build the disks, then bring the guest up."""

    power_on: bool


@dataclass(frozen=True, slots=True)
class BringUp:
    """The disks are there: define the guest, and start it if ``power_on``."""

    power_on: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask the guest to shut down; in the end cut its power."""


@dataclass(frozen=True, slots=True)
class Follow:
    """Nothing to do: report what is."""


Decision = Hold | Destroy | Build | BringUp | Stop | Follow


def decide(seen: Seen) -> Decision:
    """Decide what to do with a guest."""
    return _check_who_speaks(seen) or _check_guest(seen) or _decide_life(seen)


def is_first_start(seen: Seen, decision: Decision) -> bool:
    """Tell whether it makes a guest that, for all we know, never ran.

    Until it ran its Server may be given another host.
    """
    launched = seen.record is not None and seen.record.launched_at is not None
    rebuilt = isinstance(decision, Build)
    return rebuilt or (isinstance(decision, BringUp) and not launched)


def _check_who_speaks(seen: Seen) -> Hold | None:
    """Is this the host, the agent and the time that the order is meant for?"""
    spec = seen.wanted.spec
    if not seen.standing.accepted:
        if seen.standing.known:
            return _host_reinstalled()
        message = "the host's identity is not accepted yet"
        return Hold("HostNotAccepted", message, silent=True)
    if is_older(seen.agent_version, spec.min_agent_version):
        return Hold(
            "AgentTooOld",
            f"the host's agent is version {seen.agent_version}, and this order needs "
            f"{spec.min_agent_version}. Upgrade the agent; the guest is left as it is.",
        )
    if spec.writer <= seen.frozen_writer:
        return Hold(
            "StoreWentBack",
            "the API server's store went back to an older state. Orders count again "
            "once a new leader has checked and rewritten them.",
        )
    if seen.record is not None and seen.record.is_past(spec):
        return _from_the_past(seen.record.placement_generation)
    return None


def _check_guest(seen: Seen) -> Hold | None:
    """Is the guest under that uuid the one the order speaks of?"""
    guest, spec = seen.guest, seen.wanted.spec
    if guest is None:
        return None
    if guest.mark is None or not _is_of(guest.mark, seen.wanted):
        return Hold(
            "DomainExists",
            f"domain {guest.name} is on this host and belongs to somebody else. "
            "Move or remove it; it is never touched.",
        )
    reach = spec.destroy.placement_generation if spec.destroy else None
    newest = spec.placement_generation if reach is None else reach
    if guest.mark.placement_generation > newest:
        return _from_the_past(guest.mark.placement_generation)
    return None


def _is_of(mark: GuestMark, wanted: Instance) -> bool:
    """Is the marked guest, found under the order's uuid, of the same cluster?

    The uuid is what a guest is known by: it stays for life. A guest that runs
    keeps the mark of the Server it was started for, and may since have been
    adopted by another, whose uid and generations are its own.
    """
    return mark.cluster == wanted.spec.server.cluster


def _decide_life(seen: Seen) -> Decision:
    spec, record = seen.wanted.spec, seen.record
    if spec.destroy is not None:
        if record is not None and (
            record.placement_generation > spec.destroy.placement_generation
        ):
            return _from_the_past(record.placement_generation)
        return Destroy(spec.destroy.placement_generation)
    if seen.guest is not None:
        if record is not None and _is_other_build(seen, record):
            return Hold(
                "DomainExists",
                f"the guest of build {record.build_id} is still there, and build "
                f"{spec.build_id} is wanted. Destroy the old guest first.",
            )
        return _decide_power(seen)
    if record is not None and record.is_built_for(spec):
        return _decide_power(seen) if seen.has_root_disk else _disk_lost(seen)
    if record is None and _claims_to_be_built(seen):
        return _decide_unremembered(seen)
    return Build(power_on=spec.power_state != "Stopped")


def _is_other_build(seen: Seen, record: OrderRecord) -> bool:
    return not record.destroyed and record.build_id != seen.wanted.spec.build_id


def _claims_to_be_built(seen: Seen) -> bool:
    status, spec = seen.wanted.status, seen.wanted.spec
    return status.built_at is not None and status.build_id in {None, spec.build_id}


def _decide_unremembered(seen: Seen) -> Decision:
    """A guest that was built, on a system that knows nothing of it."""
    if seen.standing.disks is None:
        return _host_reinstalled()
    if seen.standing.disks == "Lost" or not seen.has_root_disk:
        return _disk_lost(seen)
    return _decide_power(seen)


def _decide_power(seen: Seen) -> Decision:
    power_state, record, guest = seen.wanted.spec.power_state, seen.record, seen.guest
    if guest is not None and not guest.power.is_off:
        return Stop() if power_state == "Stopped" else Follow()
    if power_state == "Running":
        return BringUp(power_on=True)
    launched = record is not None and record.launched_at is not None
    if guest is None:
        # Its definition is lost; only a guest that was on is started again.
        was_off = launched and record is not None and record.off
        return BringUp(power_on=power_state == "Manual" and not was_off)
    if power_state == "Manual" and not launched:
        return BringUp(power_on=True)
    return Follow()


def _host_reinstalled() -> Hold:
    return Hold(
        "HostReinstalled",
        "this host was installed anew under its old name and does not know this "
        "guest. Nothing is built or started until a person says what became of the "
        "disks: set spec.acceptIdentity of the ComputeHost.",
    )


def _disk_lost(seen: Seen) -> Hold:
    return Hold(
        "DiskLost",
        f"the disk of build {seen.wanted.spec.build_id} is not on this host any more. "
        "It is not built again by itself: bring the disk back, or delete the Server.",
    )


def _from_the_past(generation: int) -> Hold:
    return Hold(
        "OrderFromThePast",
        "this order is older than what the host acted on last (placement generation "
        f"{generation}). The guest is left as it is until a newer order comes.",
    )
