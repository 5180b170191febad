"""What hosts can give, kept current in the API database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kilonova_api.compute_host import PodPages
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.hosts.host_conditions import CapacityFinding
from kilonova_operator.domain.hosts.host_inventory import (
    InventoryPolicy,
    build_inventories,
    find_overcommitted,
    sum_pages,
)
from kilonova_operator.domain.hosts.host_spec_errors import HostSpecRefused
from kilonova_operator.domain.hosts.host_status import HostFacts
from kilonova_operator.domain.inventory import Inventory
from kilonova_operator.services.informers import BY_NODE, Informers
from kilonova_operator.services.stores import ApiStore

_Classes = Mapping[str, tuple[int, int]]


@dataclass(slots=True)
class HostCapacity:
    """Reports inventories; a host that got more room wakes those who wait."""

    store: ApiStore
    term: Callable[[], Term]
    informers: Informers
    policy: InventoryPolicy
    on_more_room: Callable[[], None]
    _known: dict[str, Mapping[str, Inventory]] = field(default_factory=dict)
    _overcommitted: dict[str, _Classes] = field(default_factory=dict)

    def forget(self) -> None:
        """Write every host's inventories anew: the database is another one."""
        self._known.clear()
        self._overcommitted.clear()

    def find(self, host: str) -> Mapping[str, Inventory] | None:
        """Return the inventories last written for a host."""
        return self._known.get(host)

    def list_pod_pages(self, host: str) -> tuple[PodPages, ...]:
        """List the huge pages that Pods on a host request; its Node bears its name."""
        return sum_pages(self.informers.pods.by_index(BY_NODE, host))

    async def report(self, host: str, facts: HostFacts) -> CapacityFinding:
        """Write the host's inventories if they differ from the last ones.

        Without a Node or a report nothing is known, and what was known stays; so
        it does where the spec cannot be.
        """
        refused = None
        try:
            inventories = self._build(facts)
        except HostSpecRefused as error:
            refused, inventories = error, None
        if inventories is None or inventories == self._known.get(host):
            return CapacityFinding(refused, await self._look_again(host))
        return CapacityFinding(None, await self._write(host, inventories))

    def _build(self, facts: HostFacts) -> Mapping[str, Inventory] | None:
        report = facts.host.status.agent
        if report is None or facts.node is None:
            return None
        pods = self.informers.pods.by_index(BY_NODE, facts.node.name)
        return build_inventories(report, facts.node, pods, self.policy, facts.host.spec)

    async def _write(self, host: str, inventories: Mapping[str, Inventory]) -> _Classes:
        before = self._known.get(host)
        view = await self.store.set_inventory(self.term(), host, inventories)
        self._known[host] = inventories
        if before is None or _has_more(inventories, before):
            self.on_more_room()
        self._overcommitted[host] = find_overcommitted(view)
        return self._overcommitted[host]

    async def _look_again(self, host: str) -> _Classes:
        """Return what is too much; read again only where something was."""
        if self._overcommitted.get(host):
            views = await self.store.list_provider_views([host])
            self._overcommitted[host] = find_overcommitted(views[0]) if views else {}
        return self._overcommitted.get(host, {})


def _has_more(now: Mapping[str, Inventory], before: Mapping[str, Inventory]) -> bool:
    return any(
        name not in before or _room(inventory) > _room(before[name])
        for name, inventory in now.items()
    )


def _room(inventory: Inventory) -> float:
    return inventory.capacity - inventory.unmanaged
