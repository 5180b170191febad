"""Providers: what hosts have and what is used of it. Blocking."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    BindParameter,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from kilonova_operator.domain.inventory import Inventory, ProviderView
from kilonova_operator.domain.refusals import HostUnmapped
from kilonova_operator.storage.sql.api.schema import (
    AllocationRow,
    HostMappingRow,
    InventoryRow,
    ResourceProviderRow,
)

_FIGURES = (
    "total",
    "reserved",
    "allocation_ratio",
    "min_unit",
    "max_unit",
    "step_size",
    "unmanaged",
)


def read_views(
    session: Session, *, hosts: Iterable[str] | None = None
) -> dict[int, ProviderView]:
    """Read views by provider id, in one statement; of all hosts if none is named.

    What is used comes with the generation it belongs to: both are of one
    statement's snapshot.
    """
    if hosts is None:
        found = session.execute(_select_views())
    else:
        found = session.execute(_select_views_of_hosts(), {"hosts": sorted(hosts)})
    rows: dict[int, list[Any]] = {}
    for row in found:
        rows.setdefault(row.id, []).append(row)
    return {provider_id: _build_view(group) for provider_id, group in rows.items()}


def find_view(session: Session, host: str) -> ProviderView | None:
    """Return a host's view; None while it has no inventory."""
    return next(iter(read_views(session, hosts=[host]).values()), None)


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


def find_provider_id(session: Session, host: str) -> int | None:
    """Return a host's provider."""
    query = select(ResourceProviderRow.id).where(ResourceProviderRow.name == host)
    return session.scalars(query).first()


def set_inventory(
    session: Session, host: str, inventories: Mapping[str, Inventory]
) -> ProviderView:
    """Replace the inventories of a mapped host by at least one.

    Raises:
        HostUnmapped: the host has no cell.
    """
    if session.get(HostMappingRow, host) is None:
        raise HostUnmapped(host)
    provider_id = find_provider_id(session, host)
    if provider_id is None:
        row = ResourceProviderRow(
            name=host, uuid=str(uuid4()), is_host=True, generation=0
        )
        session.add(row)
        session.flush()
        provider_id = row.id
    step_generations(session, [provider_id])
    session.execute(
        delete(InventoryRow).where(InventoryRow.provider_id == provider_id),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        insert(InventoryRow),
        [
            {"provider_id": provider_id, "resource_class": name}
            | {figure: getattr(inventory, figure) for figure in _FIGURES}
            for name, inventory in sorted(inventories.items())
        ],
    )
    return read_views(session, hosts=[host])[provider_id]


def has_claims(session: Session, provider_id: int) -> bool:
    """Tell whether anything is claimed of a provider."""
    query = select(AllocationRow.server_uid).where(
        AllocationRow.provider_id == provider_id
    )
    return session.scalars(query.limit(1)).first() is not None


@cache
def _select_views_of_hosts() -> Select[Any]:
    asked: BindParameter[Any] = bindparam("hosts", expanding=True)
    return _select_views().where(ResourceProviderRow.name.in_(asked))


@cache
def _select_views() -> Select[Any]:
    held = (
        AllocationRow.provider_id == InventoryRow.provider_id,
        AllocationRow.resource_class == InventoryRow.resource_class,
    )
    used = (
        select(func.coalesce(func.sum(AllocationRow.used), 0))
        .where(*held)
        .scalar_subquery()
    )
    claims = select(func.count()).where(*held).scalar_subquery()
    return (
        select(
            ResourceProviderRow.id,
            ResourceProviderRow.name.label("host"),
            ResourceProviderRow.generation,
            HostMappingRow.cell,
            InventoryRow.resource_class,
            *(getattr(InventoryRow, figure) for figure in _FIGURES),
            used.label("used"),
            claims.label("claims"),
        )
        .join(HostMappingRow, HostMappingRow.host == ResourceProviderRow.name)
        .join(InventoryRow, InventoryRow.provider_id == ResourceProviderRow.id)
        .order_by(ResourceProviderRow.id)
    )


def _build_view(rows: Sequence[Any]) -> ProviderView:
    first = rows[0]
    return ProviderView(
        host=first.host,
        cell=first.cell,
        generation=first.generation,
        inventories={
            row.resource_class: Inventory(
                **{figure: getattr(row, figure) for figure in _FIGURES}
            )
            for row in rows
        },
        # MariaDB's SUM of integers is a Decimal.
        used={row.resource_class: int(row.used) for row in rows},
        # Every placement holds virtual CPUs: the class held most often counts them.
        claims=max(row.claims for row in rows),
    )
