"""Roles that a process can hold, each under a Lease of its own."""

from kilonova_api.names import SUPER_ROLE

SUPER = SUPER_ROLE
"""Schedules, claims and releases, keeps cell0."""
_CELL_PREFIX = "cell/"


def cell_role(cell: str) -> str:
    """Return the role of a cell's link and conductor."""
    return f"{_CELL_PREFIX}{cell}"


def cell_of_role(role: str) -> str | None:
    """Return the cell of a cell's role; None for super."""
    return role.removeprefix(_CELL_PREFIX) if role.startswith(_CELL_PREFIX) else None
