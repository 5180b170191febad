"""Whether the system under a host's name is still the one that was accepted.

A reinstalled node comes back under its old name with none of its guests' disks.
Two marks tell it apart: the host id, a random file of the installation, and the
Node's uid. Both are pinned at first sight; a new one is hands off until a
person accepts it.
"""

from dataclasses import dataclass
from enum import StrEnum

from kilonova_api.compute_host_spec import AcceptIdentity


@dataclass(frozen=True, slots=True)
class Identity:
    """The two marks of a host."""

    host_id: str
    node_uid: str


class IdentityVerdict(StrEnum):
    """What was found."""

    NOT_SEEN = "NotSeen"
    """Nothing was reported yet, or the report is of another Node than the present."""
    SAME = "Same"
    FIRST = "First"
    """Nothing was pinned: pin what is seen."""
    ACCEPTED = "Accepted"
    """Another system, and a person has accepted it: pin what is seen."""
    CHANGED = "Changed"


@dataclass(frozen=True, slots=True)
class JudgedIdentity:
    """The verdict, and what is to be pinned from now on."""

    verdict: IdentityVerdict
    pin: Identity | None


def judge_identity(
    pinned: Identity | None,
    *,
    reported: Identity | None,
    node_uid: str | None,
    accepted: AcceptIdentity | None,
) -> JudgedIdentity:
    """Compare what is seen with what is pinned.

    reported: host id and Node uid in the agent's report. node_uid: of the Node
    that exists now, None without one. A report is believed only if it comes
    from that very Node: an old one outlives its system.
    """
    seen = reported if reported and reported.node_uid == node_uid else None
    if pinned is None:
        first = IdentityVerdict.NOT_SEEN if seen is None else IdentityVerdict.FIRST
        return JudgedIdentity(first, seen)
    if seen == pinned:
        return JudgedIdentity(IdentityVerdict.SAME, pinned)
    if seen is not None and accepted is not None and accepted.host_id == seen.host_id:
        return JudgedIdentity(IdentityVerdict.ACCEPTED, seen)
    if seen is None and node_uid in (None, pinned.node_uid):
        return JudgedIdentity(IdentityVerdict.NOT_SEEN, pinned)
    return JudgedIdentity(IdentityVerdict.CHANGED, pinned)
