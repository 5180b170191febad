"""What hosts can give, kept current in the API database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.hosts.host_inventory import (
    InventoryPolicy,
    build_inventories,
)
from kilonova_operator.domain.hosts.host_status import HostFacts
from kilonova_operator.domain.inventory import Inventory
from kilonova_operator.services.informers import BY_NODE, Informers
from kilonova_operator.services.stores import ApiStore


@dataclass(slots=True)
class HostCapacity:
    """Reports inventories; a host that got more room wakes those who wait."""

    store: ApiStore
    term: Callable[[], Term]
    informers: Informers
    policy: InventoryPolicy
    on_more_room: Callable[[], None]
    _known: dict[str, Mapping[str, Inventory]] = field(default_factory=dict)

    def forget(self) -> None:
        """Write every host's inventories anew: the database is another one."""
        self._known.clear()

    def find(self, host: str) -> Mapping[str, Inventory] | None:
        """Return the inventories last written for a host."""
        return self._known.get(host)

    async def report(self, host: str, facts: HostFacts) -> None:
        """Write the host's inventories if they differ from the last ones.

        Without a Node or a report nothing is known, and what was known stays.
        """
        report = facts.host.status.agent
        if report is None or facts.node is None:
            return
        pods = self.informers.pods.by_index(BY_NODE, facts.node.name)
        inventories = build_inventories(report, facts.node, pods, self.policy)
        before = self._known.get(host)
        if inventories == before:
            return
        await self.store.set_inventory(self.term(), host, inventories)
        self._known[host] = inventories
        if before is None or _has_more(inventories, before):
            self.on_more_room()


def _has_more(now: Mapping[str, Inventory], before: Mapping[str, Inventory]) -> bool:
    return any(
        inventory.capacity - inventory.unmanaged
        > before[name].capacity - before[name].unmanaged
        for name, inventory in now.items()
    )
