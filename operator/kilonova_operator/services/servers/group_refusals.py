"""Why members of a group that are placed together got no hosts, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.refusals import MemberRefused, QuotaExceeded
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.servers.references import Problem

_FILLED_UP = "HostsFilledUp"


@dataclass(frozen=True, slots=True)
class Blamed:
    """No other host would change what one member was refused."""

    refused: MemberRefused
    problem: Problem
    """What the others are told."""

    @property
    def concerns_all(self) -> bool:
        """Whether it is the whole namespace's matter."""
        return isinstance(self.refused.refusal, QuotaExceeded)


Refused = Decision | Blamed | Problem
"""Why there are no hosts, whoever of the members asks."""


def build_blamed(refused: MemberRefused, group: ServerGroup, *, ready: int) -> Blamed:
    """Return a refusal as its member and the others are told."""
    member, why = refused.server, refused.refusal
    stopped = [f"{member.name}: {why.reason}"]
    return Blamed(refused, build_waiting(group, ready - 1, stopped))


def build_overtaken(group: ServerGroup) -> Problem:
    """Say that others were faster, time and again."""
    return Problem(
        _FILLED_UP,
        f"Hosts that were chosen for members of ServerGroup {group.metadata.name} "
        "filled up meanwhile. It is tried again by itself.",
        waits=True,
        grace_seconds=float(group.spec.schedule_timeout_seconds),
    )


def is_overtaken(refused: Refused) -> bool:
    """Tell whether the next look may do better though nothing changed."""
    return isinstance(refused, Problem) and refused.reason == _FILLED_UP


def build_waiting(group: ServerGroup, ready: int, stopped: Sequence[str]) -> Problem:
    """Say that there are too few members. ``ready``: those with a host are, too."""
    spec = group.spec
    others = f" Others cannot be built: {', '.join(stopped)}." if stopped else ""
    return Problem(
        "WaitingForMembers",
        f"ServerGroup {group.metadata.name} places its members together, and {ready} "
        f"of {spec.min_members} are ready.{others} Create the others.",
        waits=True,
        grace_seconds=float(spec.schedule_timeout_seconds),
    )
