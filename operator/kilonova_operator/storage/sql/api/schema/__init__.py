"""Tables of the API database, a subject a file."""

from kilonova_operator.storage.sql.api.schema.base import ApiBase, ApiEpoch
from kilonova_operator.storage.sql.api.schema.cells import (
    CellMappingRow,
    HostMappingRow,
)
from kilonova_operator.storage.sql.api.schema.groups import (
    GroupMemberRow,
    ServerGroupRow,
)
from kilonova_operator.storage.sql.api.schema.networks import (
    IpAllocationRow,
    NetworkRow,
)
from kilonova_operator.storage.sql.api.schema.numa import NumaPlacementRow
from kilonova_operator.storage.sql.api.schema.providers import (
    AllocationRow,
    InventoryRow,
    ProviderAggregateRow,
    ProviderTraitRow,
    ResourceProviderRow,
)
from kilonova_operator.storage.sql.api.schema.servers import (
    HostRecordRow,
    HostRosterRow,
    InstanceMappingRow,
    SchedulingDecisionRow,
    TombstoneRow,
)
from kilonova_operator.storage.sql.api.schema.usages import NamespaceUsageRow

__all__ = [
    "AllocationRow",
    "ApiBase",
    "ApiEpoch",
    "CellMappingRow",
    "GroupMemberRow",
    "HostMappingRow",
    "HostRecordRow",
    "HostRosterRow",
    "InstanceMappingRow",
    "InventoryRow",
    "IpAllocationRow",
    "NamespaceUsageRow",
    "NetworkRow",
    "NumaPlacementRow",
    "ProviderAggregateRow",
    "ProviderTraitRow",
    "ResourceProviderRow",
    "SchedulingDecisionRow",
    "ServerGroupRow",
    "TombstoneRow",
]
