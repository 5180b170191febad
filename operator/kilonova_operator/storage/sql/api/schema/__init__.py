"""Tables of the API database, a subject a file."""

from kilonova_operator.storage.sql.api.schema.base import ApiBase, ApiEpoch
from kilonova_operator.storage.sql.api.schema.cells import (
    CellMappingRow,
    HostMappingRow,
)
from kilonova_operator.storage.sql.api.schema.networks import (
    IpAllocationRow,
    NetworkRow,
)
from kilonova_operator.storage.sql.api.schema.providers import (
    AllocationRow,
    InventoryRow,
    ResourceProviderRow,
)
from kilonova_operator.storage.sql.api.schema.servers import (
    InstanceMappingRow,
    SchedulingDecisionRow,
    TombstoneRow,
)

__all__ = [
    "AllocationRow",
    "ApiBase",
    "ApiEpoch",
    "CellMappingRow",
    "HostMappingRow",
    "InstanceMappingRow",
    "InventoryRow",
    "IpAllocationRow",
    "NetworkRow",
    "ResourceProviderRow",
    "SchedulingDecisionRow",
    "TombstoneRow",
]
