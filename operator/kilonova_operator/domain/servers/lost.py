"""Servers that only a row of an older database knows.

A backup brings back the rows of Servers that were deleted since. Where neither
an object nor an Instance speaks of one, nobody can tell whether it was deleted
or lost its object another way: it is neither built again nor given free until a
person says so.
"""

from collections.abc import Sequence
from typing import Final

from kilonova_api.names import GROUP
from kilonova_operator.domain.placement import DecisionRecord, ServerRef

SERVER_LOST: Final = "ServerLost"
"""Outcome that the sweep records of such a row."""
SERVERS_LOST: Final = "ServersLost"
"""Condition of the Cell that names them."""
END_LOST_ANNOTATION: Final = f"{GROUP}/end-lost-servers"
"""On a Cell: the time of a person's word that ends them; it holds for an hour."""

_MOST_NAMED = 10


def build_lost() -> DecisionRecord:
    """Build what the sweep records of a Server that nothing speaks of."""
    return DecisionRecord(SERVER_LOST, {})


def is_marked_lost(decisions: Sequence[DecisionRecord]) -> bool:
    """Tell from a row's decisions, newest first, whether the sweep found it lost."""
    return bool(decisions) and decisions[0].outcome == SERVER_LOST


def describe_lost(cell: str, servers: Sequence[ServerRef]) -> str:
    """Name lost Servers and say what a person can do; empty if there are none."""
    if not servers:
        return ""
    named = ", ".join(str(server) for server in servers[:_MOST_NAMED])
    if len(servers) > _MOST_NAMED:
        named += f" and {len(servers) - _MOST_NAMED} more"
    return (
        "The restored database has rows of Servers that no object and no Instance "
        f"speaks of; they hold room and addresses: {named}. To have one again, "
        "apply it with the annotation that its condition names. If all were "
        "deleted, end them and what is left of their guests: kubectl annotate "
        f"--overwrite cell {cell} {END_LOST_ANNOTATION}=$(date -u +%FT%TZ)"
    )
