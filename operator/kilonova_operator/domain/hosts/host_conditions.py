"""What stands beside a host's Ready condition, while it is so."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kilonova_api.meta import Condition
from kilonova_operator.domain.conditions import (
    Judgement,
    build_condition,
    build_conditions,
)
from kilonova_operator.domain.hosts.host_spec_errors import HostSpecRefused
from kilonova_operator.domain.hosts.traits import find_meant_trait
from kilonova_operator.domain.hosts.zones import ZONE_CONFLICT, ZONE_HELD, ZoneVerdict

INVENTORY_INVALID = "InventoryInvalid"
UNKNOWN_TRAIT = "UnknownTrait"
OVER_COMMITTED = "OverCommitted"
PIN_CONFLICT = "PinConflict"
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class CapacityFinding:
    """What was found of a host's inventory."""

    refused: HostSpecRefused | None = None
    """What of the spec cannot be; the last good inventory stays."""
    overcommitted: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Classes of which more is in use than may be: use and capacity."""


@dataclass(frozen=True, slots=True)
class HostRemarks:
    """What is to be said of a host beside whether it is ready."""

    zone: ZoneVerdict
    capacity: CapacityFinding = field(default_factory=CapacityFinding)
    unknown_traits: tuple[str, ...] = ()
    pin_conflicts: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with guests' places in its NUMA cells, by their Servers."""


def build_host_conditions(
    judgement: Judgement,
    remarks: HostRemarks,
    *,
    current: Iterable[Condition],
    generation: int,
    now: datetime,
) -> tuple[Condition, ...]:
    """Return Ready and all that is to be said beside it."""
    before = tuple(current)
    shown = {condition.type: condition for condition in before}
    main = build_conditions(judgement, current=before, generation=generation, now=now)
    beside = (
        build_condition(
            type_,
            said,
            current=shown.get(type_),
            generation=generation,
            now=now,
        )
        for type_, said in _judge_beside(remarks)
    )
    return (*main, *beside)


def _judge_beside(remarks: HostRemarks) -> Iterator[tuple[str, Judgement]]:
    finding, zone = remarks.capacity, remarks.zone
    if finding.refused is not None:
        yield (
            INVENTORY_INVALID,
            Judgement(
                "True",
                finding.refused.reason,
                f"{finding.refused} Until then the last good inventory stays.",
            ),
        )
    if finding.overcommitted:
        yield OVER_COMMITTED, _tell_overcommitted(finding.overcommitted)
    if remarks.pin_conflicts:
        yield PIN_CONFLICT, _tell_pins(remarks.pin_conflicts)
    if remarks.unknown_traits:
        yield UNKNOWN_TRAIT, _tell_unknown(remarks.unknown_traits)
    if zone.conflict:
        yield (
            ZONE_CONFLICT,
            Judgement(
                "True",
                ZONE_CONFLICT,
                f"HostAggregates put it into zones {' and '.join(zone.conflict)}; a "
                f"host is in one zone, and it stays in {zone.zone}. Take it out of all "
                "but one of them.",
            ),
        )
    if zone.held_back is not None:
        yield ZONE_HELD, _tell_held(zone)


def _tell_overcommitted(classes: Mapping[str, tuple[int, int]]) -> Judgement:
    parts = (f"{name} {used} of {most}" for name, (used, most) in classes.items())
    return Judgement(
        "True",
        OVER_COMMITTED,
        f"More is in use than the host may give: {', '.join(parts)}. Guests go on, "
        "and nobody new comes for it. Delete Servers here, reserve less, or raise "
        "spec.allocationRatios.",
    )


def _tell_pins(conflicts: Mapping[str, str]) -> Judgement:
    told = [f"{name} ({why})" for name, why in sorted(conflicts.items())]
    more = f" and {len(told) - _MOST_NAMED} others" if len(told) > _MOST_NAMED else ""
    return Judgement(
        "True",
        PIN_CONFLICT,
        "Guests are where spec.cpu and the host's cells have no place for them: "
        f"{', '.join(told[:_MOST_NAMED])}{more}. They go on, and nobody else is "
        "pinned there. Give their processors back to spec.cpu.dedicatedSet, or "
        "delete these Servers.",
    )


def _tell_unknown(traits: Iterable[str]) -> Judgement:
    parts = []
    for trait in traits:
        meant = find_meant_trait(trait)
        parts.append(f"{trait} (is {meant} meant?)" if meant else trait)
    return Judgement(
        "True",
        UNKNOWN_TRAIT,
        f"spec.traits: {', '.join(parts)}: no standard trait, so it has no effect. A "
        "site's own begin with CUSTOM_.",
    )


def _tell_held(zone: ZoneVerdict) -> Judgement:
    here = f"zone {zone.zone}" if zone.zone else "no zone"
    wanted = f"zone {zone.held_back}" if zone.held_back else "no zone"
    return Judgement(
        "True",
        ZONE_HELD,
        f"It holds Servers and stays in {here}, though it should be in {wanted}: no "
        f"Server changes its zone. It goes to {wanted} once it is empty.",
    )
