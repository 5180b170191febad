"""Usage, groups and sharing providers of the API database, in memory.

What they claim is checked against real databases in tests/support/store_contract.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.inventory import Inventory
from kilonova_operator.domain.providers import (
    SHARING_TRAIT,
    Provider,
    check_inventories,
)
from kilonova_operator.domain.quota import Usage
from kilonova_operator.domain.refusals import ProviderInUse


@dataclass
class FakeCounts:
    """What controllers of counted kinds ask of the API database."""

    usages: dict[str, Usage] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    held_groups: set[str] = field(default_factory=set)
    """Groups whose members hold claims."""
    providers: dict[str, Provider] = field(default_factory=dict)
    claimed: dict[str, set[str]] = field(default_factory=dict)
    """Classes that are claimed of a provider."""
    writes: int = 0

    async def read_usage(self, namespace_uid: str) -> Usage:
        return self.usages.get(namespace_uid, Usage())

    async def list_groups(self, *, after: str = "", limit: int = 500) -> Sequence[str]:
        return [uid for uid in sorted(self.groups) if uid > after][:limit]

    async def forget_group(self, term: Term, group_uid: str) -> bool:
        if group_uid in self.held_groups:
            return False
        self.groups.discard(group_uid)
        return True

    async def ensure_provider(
        self, term: Term, name: str, *, parent: str | None = None
    ) -> Provider:
        self.writes += 1
        return self.providers.setdefault(name, Provider(name, name, 1, name, parent))

    async def set_provider_inventory(
        self, term: Term, name: str, inventories: Mapping[str, Inventory]
    ) -> Provider:
        check_inventories(name, inventories)
        if left_out := self.claimed.get(name, set()) - inventories.keys():
            raise ProviderInUse(name, f"{sorted(left_out)} is claimed")
        return self._change(name, inventories=dict(inventories))

    async def set_traits(
        self, term: Term, name: str, traits: Iterable[str]
    ) -> Provider:
        return self._change(name, traits=frozenset(traits))

    async def set_aggregates(
        self, term: Term, name: str, aggregates: Iterable[str]
    ) -> Provider:
        return self._change(name, aggregates=frozenset(aggregates))

    async def find_provider(self, name: str) -> Provider | None:
        return self.providers.get(name)

    async def list_providers(
        self, *, sharing: bool = False, after: str = "", limit: int = 500
    ) -> Sequence[Provider]:
        return [
            provider
            for name, provider in sorted(self.providers.items())
            if name > after and (not sharing or SHARING_TRAIT in provider.traits)
        ][:limit]

    async def delete_provider(self, term: Term, name: str) -> None:
        if self.claimed.get(name):
            raise ProviderInUse(name, "something of it is claimed")
        self.writes += 1
        self.providers.pop(name, None)

    def _change(self, name: str, **fields: object) -> Provider:
        self.writes += 1
        self.providers[name] = replace(self.providers[name], **fields)  # type: ignore[arg-type]
        return self.providers[name]
