"""Tables of a cell's database, a subject a file."""

from kilonova_operator.storage.sql.cell.schema.base import CellBase, CellEpoch
from kilonova_operator.storage.sql.cell.schema.history import (
    InstanceActionEventRow,
    InstanceActionRow,
    InstanceFaultRow,
)
from kilonova_operator.storage.sql.cell.schema.instances import InstanceRow

__all__ = [
    "CellBase",
    "CellEpoch",
    "InstanceActionEventRow",
    "InstanceActionRow",
    "InstanceFaultRow",
    "InstanceRow",
]
