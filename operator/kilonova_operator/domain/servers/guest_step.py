"""What a cell does next about one guest: an Instance is made, kept or ended.

The API database says who owns the guest (host, placement generation), the
order book says what was ordered, Instances are what hosts were told. An
Instance that nobody placed is told to end only where a tombstone or a newer
placement proves that it may: absence of a row proves nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from kilonova_api.instance import Instance
from kilonova_operator.domain.placement import InstanceMapping

SERVER_DELETED = "ServerDeleted"
SERVER_MOVED = "ServerMoved"


class GuestFate(StrEnum):
    """What the databases say of a Server's guest."""

    LIVES = "Lives"
    ENDS = "Ends"
    RETAINED = "Retained"
    UNKNOWN = "Unknown"


def decide_fate(
    mapping: InstanceMapping | None, *, tombstoned: bool, adopted: bool, cell: str
) -> GuestFate:
    """Judge a guest by its Server's row and tombstone.

    No row and no tombstone: the database may be an old one. Hands off. No row
    and ``adopted``: the guest lives on with another Server; an order in the
    name of its former one is only late.
    """
    if mapping is None and adopted:
        return GuestFate.RETAINED
    if mapping is None:
        return GuestFate.ENDS if tombstoned else GuestFate.UNKNOWN
    if mapping.retained:
        return GuestFate.RETAINED
    if mapping.queued_for_delete or tombstoned:
        return GuestFate.ENDS
    return GuestFate.LIVES if mapping.cell == cell else GuestFate.UNKNOWN


@dataclass(frozen=True, slots=True)
class Ending:
    """An order to destroy that is to be given to an Instance."""

    instance: Instance
    placement_generation: int
    reason: str


def find_current(
    mapping: InstanceMapping, instances: tuple[Instance, ...]
) -> Instance | None:
    """Return the Instance on the host that the row names.

    It may carry an older placement generation (a claim was made anew for the
    same host): then it is raised, and keeps its build id and so its disk.
    """
    return next((i for i in instances if i.spec.host == mapping.host), None)


def is_ahead(mapping: InstanceMapping, instances: tuple[Instance, ...]) -> bool:
    """Tell whether a host was told of a newer placement than the row knows.

    The row is from an older database then, and orders nothing.
    """
    return any(
        i.spec.placement_generation > mapping.placement_generation for i in instances
    )


def plan_endings(
    fate: GuestFate,
    mapping: InstanceMapping | None,
    instances: tuple[Instance, ...],
) -> tuple[Ending, ...]:
    """Return the destroy orders that are missing."""
    if fate is GuestFate.ENDS:
        # An order at the highest generation known ends every older domain too.
        newest = mapping.placement_generation if mapping else 0
        return tuple(
            Ending(i, max(newest, i.spec.placement_generation), SERVER_DELETED)
            for i in instances
            if i.spec.destroy is None
        )
    if fate is GuestFate.LIVES and mapping is not None:
        return tuple(
            Ending(i, i.spec.placement_generation, SERVER_MOVED)
            for i in instances
            if i.spec.destroy is None and _is_older(mapping, i)
        )
    return ()


def _is_older(mapping: InstanceMapping, instance: Instance) -> bool:
    spec = instance.spec
    elsewhere = spec.host != mapping.host
    return elsewhere and spec.placement_generation < mapping.placement_generation
