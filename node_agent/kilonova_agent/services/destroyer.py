"""Ending a guest on order, and taking its Instance away.

The Instance goes last: as long as it stands, whoever holds claims and addresses
for the guest keeps holding them. Killed between any two steps, the whole is
done once more.
"""

import asyncio
from dataclasses import dataclass, replace

from kilonova_agent.domain.orders import begin
from kilonova_agent.drivers.base import ComputeDriver
from kilonova_agent.storage.guest_files import GuestStore
from kilonova_agent.storage.order_book import OrderBook
from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.errors import NotFound


@dataclass(frozen=True, slots=True)
class Destroyer:
    """Obeys destroy orders."""

    kube: KubeApi
    driver: ComputeDriver
    orders: OrderBook
    store: GuestStore

    async def destroy(self, wanted: Instance, *, up_to_generation: int) -> None:
        """Destroy the guest, bin its disks, delete the Instance.

        Raises:
            GuestIsNewer: the order does not reach the guest.
            Conflict: the Instance changed meanwhile; look again.
        """
        meta, uuid = wanted.metadata, wanted.metadata.name
        await self.driver.destroy(uuid, up_to_generation=up_to_generation)
        await self.driver.unplug(wanted.spec.networks)
        await asyncio.to_thread(self.store.bin, uuid)
        record = self.orders.find(uuid) or begin(wanted.spec)
        tombstone = replace(record.advance(wanted.spec), destroyed=True)
        await self.orders.put(uuid, tombstone)
        try:
            await self.kube.delete(
                Instance.resource(),
                meta.namespace,
                uuid,
                uid=meta.uid,
                resource_version=meta.resource_version,
            )
        except NotFound:
            return
