"""The room of the providers that a batch of claims wants. Blocking."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlalchemy import Connection, literal_column, update

from kilonova_operator.domain.inventory import ProviderView
from kilonova_operator.domain.placement import ClaimRequest
from kilonova_operator.domain.refusals import (
    CapacityExceeded,
    ConcurrentUpdate,
    HostUnmapped,
)
from kilonova_operator.storage.sql.api.providers import ProviderRead, read_providers
from kilonova_operator.storage.sql.api.schema import ResourceProviderRow
from kilonova_operator.storage.sql.bulk import Prepared, pair_of
from kilonova_operator.storage.sql.transactions import TransactionLost

_ROW = ResourceProviderRow
_SWAP = Prepared(
    update(_ROW)
    .where(pair_of(_ROW.id, _ROW.generation, "pairs"))
    .values(generation=_ROW.generation + literal_column("1"))
)

Taken = Mapping[str, Mapping[str, int]]
"""Amounts by provider name."""


class Rooms:
    """What providers have left, and what this batch takes of it."""

    def __init__(
        self, connection: Connection, requests: Iterable[ClaimRequest]
    ) -> None:
        names = {request.host for request in requests}
        names.update(name for request in requests for name in request.shared)
        self._providers = read_providers(connection, names=names)
        self._taken: dict[str, int] = {}

    def check(self, request: ClaimRequest) -> Taken:
        """Return what is to be taken, if all of it is there.

        Raises:
            HostUnmapped: the host has no cell or no inventory.
            CapacityExceeded: naming the first class that does not fit.
        """
        wanted = {request.host: request.amounts, **request.shared}
        for name, amounts in wanted.items():
            provider = self._providers.get(name)
            if name == request.host and (provider is None or not provider.cell):
                raise HostUnmapped(name)
            if provider is None:  # it went, or gives nothing any more
                missing = min(amounts, default="")
                wanted_most = amounts.get(missing, 0)
                raise CapacityExceeded(name, missing, wanted=wanted_most, free=0.0)
            short = provider.view.find_shortfall(amounts)
            if short is not None:
                free = max(provider.view.free(short), 0.0)
                raise CapacityExceeded(name, short, wanted=amounts[short], free=free)
        return wanted

    def take(self, wanted: Taken) -> None:
        """Count what a claim takes: the next one finds less."""
        for name, amounts in wanted.items():
            used = self._providers[name].used
            for resource_class, amount in amounts.items():
                used[resource_class] = used.get(resource_class, 0) + amount
            self._taken[name] = self._taken.get(name, 0) + 1

    def cell_of(self, host: str) -> str:
        """Return the cell of a host that was checked."""
        return self._providers[host].cell

    def id_of(self, name: str) -> int:
        """Return the id of a provider that was checked."""
        return self._providers[name].id

    def swap(self, connection: Connection) -> None:
        """Step the generations of what was taken from, if they are as read.

        Raises:
            TransactionLost: another write was faster.
        """
        taken = [self._providers[name] for name in self._taken]
        if not taken:
            return
        pairs = sorted((found.id, found.view.generation) for found in taken)
        if _SWAP.change(connection, pairs=pairs) != len(pairs):
            raise TransactionLost(ConcurrentUpdate(_name_all(taken)))

    def views(self) -> dict[str, ProviderView]:
        """Return the providers taken from, with all claims of the batch in them."""
        return {
            name: replace(
                self._providers[name].view,
                generation=self._providers[name].view.generation + 1,
                used=dict(self._providers[name].used),
                claims=self._providers[name].view.claims + claims,
            )
            for name, claims in self._taken.items()
        }


def _name_all(providers: Iterable[ProviderRead]) -> str:
    names = sorted(found.view.host for found in providers)
    return names[0] if len(names) == 1 else f"{names[0]} or one of {len(names) - 1}"
