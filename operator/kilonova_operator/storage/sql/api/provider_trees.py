"""Providers with parents, traits and aggregates. Blocking."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from kilonova_operator.domain.inventory import Inventory
from kilonova_operator.domain.providers import (
    SHARING_TRAIT,
    Provider,
    check_inventories,
    check_traits,
)
from kilonova_operator.domain.refusals import (
    ProviderConflict,
    ProviderInUse,
    ProviderNotFound,
)
from kilonova_operator.storage.sql.api.providers import (
    find_provider,
    has_claims,
    list_claimed_classes,
    read_providers,
    step_generations,
    write_inventories,
)
from kilonova_operator.storage.sql.api.schema import (
    InventoryRow,
    ProviderAggregateRow,
    ProviderTraitRow,
    ResourceProviderRow,
)
from kilonova_operator.storage.sql.bulk import insert_rows

TRAIT = ProviderTraitRow.trait
AGGREGATE = ProviderAggregateRow.aggregate


def ensure_provider(session: Session, name: str, *, parent: str | None) -> Provider:
    """Make a provider, or return the one that is there.

    Raises:
        ProviderNotFound: no such parent.
        ProviderConflict: it is a host's, or stands elsewhere.
    """
    above = None if parent is None else get_row(session, parent)
    row = find_provider(session, name)
    if row is None:
        row = ResourceProviderRow(
            name=name,
            uuid=str(uuid4()),
            is_host=False,
            generation=0,
            parent_id=None if above is None else above.id,
            root_id=None if above is None else above.root_id or above.id,
        )
        session.add(row)
        session.flush()
    elif row.is_host:
        raise ProviderConflict(name, "is a host's own")
    elif row.parent_id != (above.id if above else None):
        raise ProviderConflict(name, f"stands elsewhere than below {parent}")
    return get_provider(session, name)


def set_inventory(
    session: Session, name: str, inventories: Mapping[str, Inventory]
) -> Provider:
    """Replace the inventories of a provider that is no host's.

    Raises:
        ProviderNotFound, ProviderConflict, ProviderInUse, InventoryInvalid
    """
    check_inventories(name, inventories)
    row = get_row(session, name)
    if row.is_host:
        raise ProviderConflict(name, "is a host's own: its report sets its inventory")
    step_generations(session, [row.id])
    left_out = sorted(set(list_claimed_classes(session, row.id)) - inventories.keys())
    if left_out:
        what = f"{', '.join(left_out)} is claimed. Give it a total of 0 to close it."
        raise ProviderInUse(name, what)
    write_inventories(session, row.id, inventories)
    return get_provider(session, name)


def set_traits(session: Session, name: str, traits: Iterable[str]) -> Provider:
    """Replace a provider's traits.

    Raises:
        ProviderNotFound, TraitInvalid
    """
    wanted = frozenset(traits)
    check_traits(name, sorted(wanted))
    return _replace(session, name, TRAIT, wanted)


def set_aggregates(session: Session, name: str, aggregates: Iterable[str]) -> Provider:
    """Replace the aggregates a provider is in.

    Raises:
        ProviderNotFound
    """
    return _replace(session, name, AGGREGATE, frozenset(aggregates))


def find(session: Session, name: str) -> Provider | None:
    """Return a provider with all that hangs on it."""
    row = find_provider(session, name)
    return None if row is None else _build(session, [row])[0]


def get_provider(session: Session, name: str) -> Provider:
    """Return a provider.

    Raises:
        ProviderNotFound
    """
    return _build(session, [get_row(session, name)])[0]


def list_providers(
    session: Session, *, sharing: bool, after: str, limit: int
) -> list[Provider]:
    """List one page by name."""
    row = ResourceProviderRow
    query = select(row).where(row.name > after)
    if sharing:
        shares = select(ProviderTraitRow.provider_id).where(TRAIT == SHARING_TRAIT)
        query = query.where(row.id.in_(shares))
    return _build(session, session.scalars(query.order_by(row.name).limit(limit)).all())


def delete_provider(session: Session, name: str) -> None:
    """Remove a provider with all that hangs on it.

    Raises:
        ProviderInUse: something is claimed of it, or it has children.
    """
    row = find_provider(session, name)
    if row is None:
        return
    # The lock first: whoever claims of it meanwhile loses its swap.
    step_generations(session, [row.id])
    if has_claims(session, row.id):
        raise ProviderInUse(name, "something of it is claimed")
    children = select(ResourceProviderRow.name).where(
        ResourceProviderRow.parent_id == row.id
    )
    child = session.scalars(children.limit(1)).first()
    if child is not None:
        raise ProviderInUse(name, f"{child} stands below it")
    hanging: tuple[ColumnElement[bool], ...] = (
        InventoryRow.provider_id == row.id,
        ProviderTraitRow.provider_id == row.id,
        ProviderAggregateRow.provider_id == row.id,
        ResourceProviderRow.id == row.id,
    )
    tables = (InventoryRow, ProviderTraitRow, ProviderAggregateRow, ResourceProviderRow)
    for table, mine in zip(tables, hanging, strict=True):
        session.execute(
            delete(table).where(mine), execution_options={"synchronize_session": False}
        )


def get_row(session: Session, name: str) -> ResourceProviderRow:
    """Return a provider's row.

    Raises:
        ProviderNotFound
    """
    row = find_provider(session, name)
    if row is None:
        raise ProviderNotFound(name)
    return row


def _replace(
    session: Session,
    name: str,
    column: InstrumentedAttribute[str],
    wanted: frozenset[str],
) -> Provider:
    row = get_row(session, name)
    table: Any = column.class_
    step_generations(session, [row.id])
    session.execute(
        delete(table).where(table.provider_id == row.id),
        execution_options={"synchronize_session": False},
    )
    rows = [{"provider_id": row.id, column.key: value} for value in sorted(wanted)]
    insert_rows(session.connection(), table, rows)
    return get_provider(session, name)


def _build(session: Session, rows: Sequence[ResourceProviderRow]) -> list[Provider]:
    ids = [row.id for row in rows]
    read = read_providers(session.connection(), names=[row.name for row in rows])
    traits = _gather(session, TRAIT, ids)
    aggregates = _gather(session, AGGREGATE, ids)
    names = _names_above(session, rows)
    generations = _read_generations(session, ids)
    providers = []
    for row in rows:
        view = read[row.name].view if row.name in read else None
        providers.append(
            Provider(
                name=row.name,
                uuid=row.uuid,
                generation=generations[row.id],
                root=row.name if row.root_id is None else names[row.root_id],
                parent=None if row.parent_id is None else names[row.parent_id],
                is_host=row.is_host,
                inventories=view.inventories if view else {},
                used=view.used if view else {},
                traits=frozenset(traits.get(row.id, ())),
                aggregates=frozenset(aggregates.get(row.id, ())),
            )
        )
    return providers


def _gather(
    session: Session, column: InstrumentedAttribute[str], ids: Sequence[int]
) -> dict[int, list[str]]:
    provider_id = column.class_.provider_id
    found: dict[int, list[str]] = {}
    rows: Iterable[Any] = session.execute(
        select(provider_id, column).where(provider_id.in_(ids))
    )
    for owner, value in rows:
        found.setdefault(owner, []).append(value)
    return found


def _names_above(
    session: Session, rows: Sequence[ResourceProviderRow]
) -> dict[int, str]:
    above = {row.parent_id for row in rows} | {row.root_id for row in rows}
    wanted = [provider_id for provider_id in above if provider_id is not None]
    if not wanted:
        return {}
    row = ResourceProviderRow
    query = select(row.id, row.name).where(row.id.in_(wanted))
    return {found.id: found.name for found in session.execute(query)}


def _read_generations(session: Session, ids: Sequence[int]) -> dict[int, int]:
    """Read generations as they are now: rows of the session may be older."""
    row = ResourceProviderRow
    query = select(row.id, row.generation).where(row.id.in_(ids))
    return {found.id: found.generation for found in session.execute(query)}
