"""Resources that all hosts of an aggregate take from together.

They are a provider of their own, as Placement has it: with the trait
MISC_SHARES_VIA_AGGREGATE, in the aggregate whose name it bears. Hosts are members of
the aggregate through the index; what a Server takes of it is claimed by name where
its host lacks it (domain.scheduling.shared_rooms).
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kilonova_api.host_aggregate import HostAggregate
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.hosts.host_inventory import build_given_inventory
from kilonova_operator.domain.inventory import Inventory
from kilonova_operator.domain.providers import SHARING_TRAIT, InventoryInvalid
from kilonova_operator.domain.refusals import ProviderConflict, ProviderInUse
from kilonova_operator.services.stores import ApiStore

logger = logging.getLogger(__name__)

REFUSALS = (InventoryInvalid, ProviderInUse, ProviderConflict)
_PREFIX = "aggregate:"
"""No host's name has a colon: the two never meet."""


def provider_name(aggregate: str) -> str:
    """Return the name of an aggregate's sharing provider."""
    return f"{_PREFIX}{aggregate}"


@dataclass(slots=True)
class SharedResources:
    """Keeps sharing providers in step with their aggregates."""

    store: ApiStore
    term: Callable[[], Term]
    on_change: Callable[[], None]
    """Hears that a provider was written or removed."""
    _known: dict[str, Mapping[str, Inventory]] = field(default_factory=dict)
    """What was written, so that nothing is asked of the database twice."""

    def forget(self) -> None:
        """Write everything anew: the database is another one."""
        self._known.clear()

    async def ensure(self, aggregate: HostAggregate) -> None:
        """Make the aggregate's provider what its spec says; none for nothing.

        Raises:
            InventoryInvalid, ProviderInUse, ProviderConflict
        """
        name = aggregate.metadata.name
        wanted = {
            given.resource_class: build_given_inventory(given)
            for given in aggregate.spec.shared_resources
        }
        if self._known.get(name) == wanted:
            return
        if not wanted:
            await self.remove(name)
            self._known[name] = wanted
            return
        provider, term = provider_name(name), self.term()
        await self.store.ensure_provider(term, provider)
        await self.store.set_provider_inventory(term, provider, wanted)
        await self.store.set_traits(term, provider, (SHARING_TRAIT,))
        await self.store.set_aggregates(term, provider, (name,))
        self._known[name] = wanted
        self.on_change()

    async def remove(self, aggregate: str) -> None:
        """Remove an aggregate's provider; may run twice.

        Raises:
            ProviderInUse: something of it is claimed.
        """
        self._known.pop(aggregate, None)
        provider = provider_name(aggregate)
        if await self.store.find_provider(provider) is not None:
            await self.store.delete_provider(self.term(), provider)
            self.on_change()

    async def list_aggregates(self) -> list[str]:
        """List the aggregates that have a provider."""
        found: list[str] = []
        after = ""
        while page := await self.store.list_providers(sharing=True, after=after):
            after = page[-1].name
            found += [p.name for p in page if p.name.startswith(_PREFIX)]
        return [name.removeprefix(_PREFIX) for name in found]
