"""Providers for coroutines."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.inventory import Inventory
from kilonova_operator.domain.providers import Provider
from kilonova_operator.services.stores import PAGE_ROWS
from kilonova_operator.storage.sql.api import provider_trees
from kilonova_operator.storage.sql.parts import StorePart


class ProvidersPart(StorePart):
    """Trees, sharing, traits. What is so already is not written again."""

    async def ensure_provider(
        self, term: Term, name: str, *, parent: str | None = None
    ) -> Provider:
        """Make a provider."""
        found = await self.find_provider(name)
        if found is not None and not found.is_host and found.parent == parent:
            return found
        return await self._database.write(
            term,
            partial(provider_trees.ensure_provider, name=name, parent=parent),
            while_frozen=True,
        )

    async def set_provider_inventory(
        self, term: Term, name: str, inventories: Mapping[str, Inventory]
    ) -> Provider:
        """Replace a provider's inventories."""
        found = await self.find_provider(name)
        is_so = found is not None and dict(found.inventories) == dict(inventories)
        if found is not None and is_so and not found.is_host:
            return found
        return await self._database.write(
            term,
            partial(provider_trees.set_inventory, name=name, inventories=inventories),
            while_frozen=True,
        )

    async def set_traits(
        self, term: Term, name: str, traits: Iterable[str]
    ) -> Provider:
        """Replace a provider's traits."""
        wanted = frozenset(traits)
        found = await self.find_provider(name)
        if found is not None and found.traits == wanted:
            return found
        return await self._database.write(
            term,
            partial(provider_trees.set_traits, name=name, traits=wanted),
            while_frozen=True,
        )

    async def set_aggregates(
        self, term: Term, name: str, aggregates: Iterable[str]
    ) -> Provider:
        """Replace the aggregates that a provider is in."""
        wanted = frozenset(aggregates)
        found = await self.find_provider(name)
        if found is not None and found.aggregates == wanted:
            return found
        return await self._database.write(
            term,
            partial(provider_trees.set_aggregates, name=name, aggregates=wanted),
            while_frozen=True,
        )

    async def find_provider(self, name: str) -> Provider | None:
        """Return a provider."""
        return await self._database.read(partial(provider_trees.find, name=name))

    async def list_providers(
        self, *, sharing: bool = False, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[Provider]:
        """List one page of providers."""
        return await self._database.read(
            partial(
                provider_trees.list_providers, sharing=sharing, after=after, limit=limit
            )
        )

    async def delete_provider(self, term: Term, name: str) -> None:
        """Remove a provider."""
        await self._database.write(
            term,
            partial(provider_trees.delete_provider, name=name),
            while_frozen=True,
        )
