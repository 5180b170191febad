"""Providers other than hosts, and what hangs on any provider."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.inventory import Inventory
from kilonova_operator.domain.providers import Provider
from kilonova_operator.services.stores.epoch import PAGE_ROWS


class ProvidersStore(Protocol):
    """Trees of providers, sharing ones, traits and aggregates, as in Placement.

    A host's root provider comes with its first inventory (``HostsStore``).
    Every change steps the provider's generation; what is so already is not
    written again.
    """

    async def ensure_provider(
        self, term: Term, name: str, *, parent: str | None = None
    ) -> Provider:
        """Make a provider, at the top or below ``parent``.

        Raises:
            ProviderNotFound: there is no such parent.
            ProviderConflict: the name is another provider's.
        """
        ...

    async def set_provider_inventory(
        self, term: Term, name: str, inventories: Mapping[str, Inventory]
    ) -> Provider:
        """Replace inventories. A total below what is claimed takes nobody new.

        Raises:
            ProviderNotFound, InventoryInvalid
            ProviderConflict: it is a host's, which its host's report sets.
            ProviderInUse: a class that is left out is claimed.
        """
        ...

    async def set_traits(
        self, term: Term, name: str, traits: Iterable[str]
    ) -> Provider:
        """Replace traits.

        Raises:
            ProviderNotFound, TraitInvalid
        """
        ...

    async def set_aggregates(
        self, term: Term, name: str, aggregates: Iterable[str]
    ) -> Provider:
        """Replace the aggregates that the provider is in.

        Raises:
            ProviderNotFound
        """
        ...

    async def find_provider(self, name: str) -> Provider | None:
        """Return a provider with all that hangs on it."""
        ...

    async def list_providers(
        self, *, sharing: bool = False, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[Provider]:
        """List one page by name; with ``sharing`` only those that share."""
        ...

    async def delete_provider(self, term: Term, name: str) -> None:
        """Remove a provider; may run twice.

        Raises:
            ProviderInUse: something is claimed of it, or it has children.
        """
        ...
