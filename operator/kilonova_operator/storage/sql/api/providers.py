"""Providers: what hosts and others have and what is used of it. Blocking."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    Connection,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.orm import Session

from kilonova_operator.domain.inventory import Inventory, ProviderView
from kilonova_operator.domain.providers import check_inventories
from kilonova_operator.domain.refusals import HostUnmapped, ProviderConflict
from kilonova_operator.storage.sql.api.schema import (
    AllocationRow,
    HostMappingRow,
    InventoryRow,
    ResourceProviderRow,
)
from kilonova_operator.storage.sql.bulk import Prepared, insert_rows, one_of

_FIGURES = (
    "total",
    "reserved",
    "allocation_ratio",
    "min_unit",
    "max_unit",
    "step_size",
    "unmanaged",
)
_FIGURES_AT = 6
"""Where the figures begin in the rows of ``_INVENTORIES``."""


_PROVIDER, _HELD = ResourceProviderRow, AllocationRow
_INVENTORIES = (
    select(
        _PROVIDER.id,
        _PROVIDER.name,
        _PROVIDER.generation,
        _PROVIDER.is_host,
        HostMappingRow.cell,
        InventoryRow.resource_class,
        *(getattr(InventoryRow, figure) for figure in _FIGURES),
    )
    .join(InventoryRow, InventoryRow.provider_id == _PROVIDER.id)
    .outerjoin(HostMappingRow, HostMappingRow.host == _PROVIDER.name)
    .order_by(_PROVIDER.id)
)
_SUMS = select(
    _HELD.provider_id, _HELD.resource_class, func.sum(_HELD.used), func.count()
).group_by(_HELD.provider_id, _HELD.resource_class)
_ALL, _ALL_USED = Prepared(_INVENTORIES), Prepared(_SUMS)
_NAMED = Prepared(_INVENTORIES.where(one_of(_PROVIDER.name, "names")))
_USED = Prepared(_SUMS.where(one_of(_HELD.provider_id, "ids")))


@dataclass(frozen=True, slots=True)
class ProviderRead:
    """A provider as it was read. ``used`` is the view's own, and may be changed.

    ``cell`` is empty for what is no mapped host.
    """

    id: int
    cell: str
    is_host: bool
    view: ProviderView
    used: dict[str, int]


def read_providers(
    connection: Connection, *, names: Iterable[str] | None = None
) -> dict[str, ProviderRead]:
    """Read providers that have an inventory by name, in two statements.

    All of them if none is named. Generations come first: what is used is then
    never older than the generation it is shown with, and whoever swaps the
    generation afterwards proves that it was not newer either.
    """
    if names is None:
        rows, sums = _ALL.rows(connection), _ALL_USED.rows(connection)
    else:
        rows = _NAMED.rows(connection, names=sorted(names))
        ids = sorted({row[0] for row in rows})
        sums = _USED.rows(connection, ids=ids)
    used: dict[int, list[Any]] = {}
    for row in sums:
        used.setdefault(row[0], []).append(row)
    return {
        name: _build_provider(list(group), used)
        for name, group in groupby(rows, key=lambda row: row[1])
    }


def read_host_views(
    session: Session, *, hosts: Iterable[str] | None = None
) -> dict[str, ProviderView]:
    """Read the views of mapped hosts by name; of all if none is named."""
    found = read_providers(session.connection(), names=hosts)
    return {name: read.view for name, read in found.items() if read.cell}


def find_view(session: Session, host: str) -> ProviderView | None:
    """Return a host's view; None while it has no inventory."""
    return read_host_views(session, hosts=[host]).get(host)


def step_generations(session: Session, provider_ids: Iterable[int]) -> None:
    """Raise generations whatever they are, and lock the rows until the commit."""
    ids = sorted(set(provider_ids))  # one order for everybody: no deadlock
    if ids:
        session.execute(
            update(ResourceProviderRow)
            .where(ResourceProviderRow.id.in_(ids))
            .values(generation=ResourceProviderRow.generation + 1),
            execution_options={"synchronize_session": False},
        )


def find_provider(session: Session, name: str) -> ResourceProviderRow | None:
    """Return a provider's row."""
    query = select(ResourceProviderRow).where(ResourceProviderRow.name == name)
    return session.scalars(query).first()


def set_host_inventory(
    session: Session, host: str, inventories: Mapping[str, Inventory]
) -> ProviderView:
    """Replace the inventories of a mapped host by at least one.

    A class that is left out while guests hold some of it stays with nothing in
    it: it takes nobody new, and what is held stays in sight.

    Raises:
        HostUnmapped: the host has no cell.
        ProviderConflict: another provider has its name.
        InventoryInvalid
    """
    if session.get(HostMappingRow, host) is None:
        raise HostUnmapped(host)
    check_inventories(host, inventories)
    row = find_provider(session, host)
    if row is None:
        row = ResourceProviderRow(
            name=host, uuid=str(uuid4()), is_host=True, generation=0
        )
        session.add(row)
        session.flush()
    elif not row.is_host:
        raise ProviderConflict(host, "is no host's, and a host of that name came")
    step_generations(session, [row.id])
    closed = dict.fromkeys(list_claimed_classes(session, row.id), Inventory(total=0))
    write_inventories(session, row.id, closed | dict(inventories))
    view = find_view(session, host)
    if view is None:
        raise HostUnmapped(host)
    return view


def write_inventories(
    session: Session, provider_id: int, inventories: Mapping[str, Inventory]
) -> None:
    """Replace a provider's inventories; its generation was stepped."""
    session.execute(
        delete(InventoryRow).where(InventoryRow.provider_id == provider_id),
        execution_options={"synchronize_session": False},
    )
    rows = [
        {"provider_id": provider_id, "resource_class": name}
        | {figure: getattr(inventory, figure) for figure in _FIGURES}
        for name, inventory in sorted(inventories.items())
    ]
    insert_rows(session.connection(), InventoryRow, rows)


def list_claimed_classes(session: Session, provider_id: int) -> list[str]:
    """List the classes of which something is claimed."""
    found = select(AllocationRow.resource_class).where(
        AllocationRow.provider_id == provider_id
    )
    return sorted(session.scalars(found.distinct()))


def has_claims(session: Session, provider_id: int) -> bool:
    """Tell whether anything is claimed of a provider."""
    query = select(AllocationRow.server_uid).where(
        AllocationRow.provider_id == provider_id
    )
    return session.scalars(query.limit(1)).first() is not None


@lru_cache(maxsize=4096)
def _inventory(*figures: Any) -> Inventory:
    """Return an inventory: hosts of one kind share theirs."""
    return Inventory(*figures)


def _build_provider(
    rows: Sequence[Any], sums: Mapping[int, Sequence[Any]]
) -> ProviderRead:
    provider_id, name, generation, is_host, cell = rows[0][:5]
    held = sums.get(provider_id, ())
    used = {row[5]: 0 for row in rows}
    # MariaDB's SUM of integers is a Decimal.
    used.update((row[1], int(row[2])) for row in held)
    view = ProviderView(
        host=name,
        cell=cell if is_host and cell else "",
        generation=generation,
        inventories={row[5]: _inventory(*row[_FIGURES_AT:]) for row in rows},
        used=used,
        # Every placement holds virtual CPUs: the class held most often counts them.
        claims=max((row[3] for row in held), default=0),
    )
    return ProviderRead(provider_id, view.cell, bool(is_host), view, used)
