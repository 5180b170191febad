"""What is said of a HostAggregate."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_aggregate import HostAggregate, HostAggregateStatus
from kilonova_operator.domain.conditions import (
    Judgement,
    build_conditions,
    ready,
    reconciling,
    stalled,
)
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.hosts.zones import ZONE_CONFLICT, ZONE_HELD

_MOST_NAMES = 10
"""Hosts that a message names; it may be thousands."""


@dataclass(frozen=True, slots=True)
class AggregateMember:
    """A host of the aggregate, and the zones that its aggregates ask for."""

    host: ComputeHost
    zones: frozenset[str]


def build_aggregate_status(
    aggregate: HostAggregate,
    members: Collection[AggregateMember],
    refused: KilonovaError | None,
    *,
    now: datetime,
) -> HostAggregateStatus:
    """Return the status; ``refused``: why its shared resources are not so."""
    generation = aggregate.metadata.generation
    return HostAggregateStatus(
        observed_generation=generation,
        conditions=build_conditions(
            judge_aggregate(aggregate, members, refused),
            current=aggregate.status.conditions,
            generation=generation,
            now=now,
        ),
        hosts=len(members),
    )


def judge_aggregate(
    aggregate: HostAggregate,
    members: Collection[AggregateMember],
    refused: KilonovaError | None,
) -> Judgement:
    """Return the Ready condition; what is worst is its reason."""
    zone, spec = aggregate.spec.availability_zone, aggregate.spec
    in_conflict = [m for m in members if zone in m.zones and len(m.zones) > 1]
    held = [m for m in members if zone and m.host.status.is_true(ZONE_HELD)]
    there = {member.host.metadata.name for member in members}
    missing = [name for name in spec.hosts if name not in there]
    if in_conflict:
        zones = sorted(frozenset().union(*(m.zones for m in in_conflict)))
        return stalled(
            ZONE_CONFLICT,
            f"{_name(m.host.metadata.name for m in in_conflict)}: in aggregates of "
            f"zones {' and '.join(zones)}; a host is in one zone. Take it out of all "
            "but one of them.",
        )
    if held:
        return stalled(
            ZONE_HELD,
            f"{_name(m.host.metadata.name for m in held)}: not in zone {zone} yet, for "
            "it holds Servers, and no Server changes its zone. Move or delete its "
            "Servers, or take it out of the aggregate.",
        )
    if refused is not None:
        return stalled(refused.reason, f"spec.sharedResources: {refused}")
    if missing:
        return stalled(
            "UnknownHost",
            f"{_name(missing)}: no ComputeHost of that name. Correct spec.hosts; a "
            "host that comes later belongs to it.",
        )
    if not members:
        return reconciling("NoHosts", "No host belongs to it: it has no effect.")
    return ready("HasHosts")


def _name(hosts: Iterable[str]) -> str:
    names = sorted(hosts)
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
