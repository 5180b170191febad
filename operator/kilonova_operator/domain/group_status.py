"""What is said of a ServerGroup. It names no host: that is not for tenants."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kilonova_api.meta import Condition
from kilonova_api.server_group import ServerGroup, ServerGroupStatus
from kilonova_operator.domain.conditions import (
    Judgement,
    build_condition,
    build_conditions,
    ready,
    reconciling,
    stalled,
)
from kilonova_operator.domain.errors import KilonovaError

HOST_LOCAL_NETWORK = "HostLocalNetwork"
_MOST_ZONES = 64
_MOST_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Member:
    """A Server that names the group: where it is, as far as it is anywhere."""

    host: str | None
    zone: str | None


def spreads(group: ServerGroup) -> bool:
    """Tell whether the group keeps its members apart."""
    return group.spec.policy in ("AntiAffinity", "SoftAntiAffinity")


def find_waiting_since(
    group: ServerGroup, members: Collection[Member], *, now: datetime
) -> datetime | None:
    """Return since when members wait for each other, and for hosts."""
    least = group.spec.min_members
    placed = sum(member.host is not None for member in members)
    if least is None or not members or placed >= least:
        return None
    return group.status.waiting_since or now.replace(microsecond=0)


def find_deadline(
    group: ServerGroup, waiting_since: datetime | None
) -> datetime | None:
    """Return when members that wait for each other have waited long enough."""
    if waiting_since is None:
        return None
    return waiting_since + timedelta(seconds=group.spec.schedule_timeout_seconds)


def build_group_status(
    group: ServerGroup,
    members: Sequence[Member],
    host_local: Collection[str],
    *,
    unsupported: KilonovaError | None,
    now: datetime,
) -> ServerGroupStatus:
    """Return the status.

    host_local: networks shared that end at the host. unsupported: why no member can
    be placed by the group's policy.
    """
    if unsupported is None:
        judgement = _judge(group, members, now=now)
    else:
        judgement = stalled(unsupported.reason, str(unsupported))
    placed = [member for member in members if member.host is not None]
    waiting_since = find_waiting_since(group, members, now=now)
    by_zone = group.spec.topology == "Zone"
    domains = {m.zone or "" if by_zone else m.host or "" for m in placed}
    zones = tuple(sorted(filter(None, domains)))[:_MOST_ZONES] if by_zone else ()
    return ServerGroupStatus(
        observed_generation=group.metadata.generation,
        conditions=tuple(_build_conditions(group, judgement, host_local, now=now)),
        members=len(members),
        placed_members=len(placed),
        placed=f"{len(placed)}/{len(members)}",
        domain_count=len(domains),
        zones=zones,
        domains=",".join(zones)[:_MOST_CHARACTERS] if by_zone else str(len(domains)),
        waiting_since=waiting_since,
    )


def _judge(
    group: ServerGroup,
    members: Sequence[Member],
    *,
    now: datetime,
) -> Judgement:
    least = group.spec.min_members
    if not members:
        return ready("Empty", "No Server names it.")
    deadline = find_deadline(group, find_waiting_since(group, members, now=now))
    if deadline is not None and now >= deadline:
        return stalled(
            "ScheduleTimeout",
            f"Not all of {least} members found hosts at once within "
            f"{group.spec.schedule_timeout_seconds} s, so none was placed. Their own "
            "conditions say what stood in the way.",
        )
    if least is not None and len(members) < least:
        return reconciling(
            "WaitingForMembers", f"None is placed before {least} Servers name it."
        )
    if any(member.host is None for member in members):
        return reconciling(
            "MembersWaiting",
            "Some members have no host yet: their own conditions say why.",
        )
    return ready("Placed")


def _build_conditions(
    group: ServerGroup,
    judgement: Judgement,
    host_local: Collection[str],
    *,
    now: datetime,
) -> Iterable[Condition]:
    generation, shown = group.metadata.generation, group.status
    yield from build_conditions(
        judgement, current=shown.conditions, generation=generation, now=now
    )
    if host_local:
        names = ", ".join(sorted(host_local))
        yield build_condition(
            HOST_LOCAL_NETWORK,
            Judgement(
                "True",
                HOST_LOCAL_NETWORK,
                f"Members are kept apart but share {names}, which ends at each host: "
                "on different hosts they do not reach each other by it. Give them a "
                "ClusterNetwork that spans hosts.",
            ),
            current=shown.condition(HOST_LOCAL_NETWORK),
            generation=generation,
            now=now,
        )
