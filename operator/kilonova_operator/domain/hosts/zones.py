"""Which availability zone a host is in.

Nova refuses a request that would put a host into two zones, or change the zone of
a host that holds servers. An aggregate is an object here, and has been accepted by
the time we see it: so the host keeps its zone, and both sides say so.
Source: nova.compute.api.AggregateAPI, Nova 34 (is_safe_to_update_az and
ensure_no_instances_need_to_move_az_when_host_added).
"""

from collections.abc import Collection
from dataclasses import dataclass

ZONE_CONFLICT = "ZoneConflict"
ZONE_HELD = "ZoneHeld"


@dataclass(frozen=True, slots=True)
class ZoneVerdict:
    """The host's zone, and what it is not although somebody asks for it."""

    zone: str | None
    conflict: tuple[str, ...] = ()
    """All the zones that aggregates ask for, where they are more than one."""
    held_back: str | None = None
    """The zone it would have, and gets once it holds no Servers; "" for none."""


@dataclass(frozen=True, slots=True)
class ZoneWishes:
    """What asks for a zone: aggregates first, the Node's label where none does."""

    of_aggregates: Collection[str]
    of_node: str | None


def decide_zone(
    wishes: ZoneWishes, *, shown: str | None, judged_before: bool, holds_servers: bool
) -> ZoneVerdict:
    """Decide a host's zone.

    shown: the zone it has. judged_before: False, and ``shown`` says nothing.
    """
    asked = sorted(set(wishes.of_aggregates))
    wanted: str | None
    if not asked:
        wanted = wishes.of_node
    elif shown in asked:
        wanted = shown
    else:
        wanted = asked[0]
    conflict = tuple(asked) if len(asked) > 1 else ()
    if judged_before and holds_servers and wanted != shown:
        return ZoneVerdict(shown, conflict, held_back=wanted or "")
    return ZoneVerdict(wanted, conflict)
