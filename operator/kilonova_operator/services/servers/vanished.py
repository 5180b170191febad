"""Servers in cell0 whose object vanished without us: nothing waits for them.

Where a guest may live, a row outlives its object. In cell0 there is none, and
nobody else would ever take the row away. No tombstone is written: nobody asked
for a delete, and an object that comes back is simply placed anew.
"""

from dataclasses import dataclass

from kilonova_api.kube.api import KubeApi
from kilonova_api.names import CELL0
from kilonova_api.server import Server
from kilonova_operator.domain.placement import InstanceMapping
from kilonova_operator.domain.refusals import PlacementFrozen
from kilonova_operator.services.servers.crd_health import CrdHealth
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.stores import ApiStore


@dataclass(frozen=True, slots=True)
class VanishedServers:
    """Forgets rows of cell0 that have no object."""

    kube: KubeApi
    api: ApiStore
    duty: Duty
    crds: CrdHealth

    async def forget(self, row: InstanceMapping) -> None:
        """Forget a row in cell0, unless its object exists or nobody can tell."""
        if row.cell != CELL0 or row.host is not None:
            return
        if not await self.crds.believes_deletes() or await self._exists(row):
            return
        try:
            self.duty.check_changes()
            await self.api.forget_unplaced(self.duty.term(), row.server.uid)
        except PlacementFrozen:
            return  # the next sweep of rows asks again

    async def _exists(self, row: InstanceMapping) -> bool:
        server = row.server
        found = await self.kube.find(Server.resource(), server.namespace, server.name)
        return found is not None and found["metadata"]["uid"] == server.uid
