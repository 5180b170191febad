"""Reading where Servers are and which are deleted. Blocking."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from kilonova_operator.domain.placement import InstanceMapping, Tombstone
from kilonova_operator.storage.sql.api.records import mapping_of, tombstone_of
from kilonova_operator.storage.sql.api.schema import InstanceMappingRow, TombstoneRow


def find_mapping(session: Session, server_uid: str) -> InstanceMapping | None:
    """Return a Server's mapping."""
    row = session.get(InstanceMappingRow, server_uid)
    return None if row is None else mapping_of(row)


def find_mapping_by_instance(
    session: Session, instance_uuid: str
) -> InstanceMapping | None:
    """Return the row that has a guest, whichever Server's it is by now."""
    query = select(InstanceMappingRow).where(
        InstanceMappingRow.instance_uuid == instance_uuid
    )
    row = session.scalars(query).first()
    return None if row is None else mapping_of(row)


def list_mappings(
    session: Session, *, cell: str | None, host: str | None, after: str, limit: int
) -> list[InstanceMapping]:
    """List one page by Server uid."""
    query = select(InstanceMappingRow).where(InstanceMappingRow.server_uid > after)
    if cell is not None:
        query = query.where(InstanceMappingRow.cell == cell)
    if host is not None:
        query = query.where(InstanceMappingRow.host == host)
    query = query.order_by(InstanceMappingRow.server_uid).limit(limit)
    return [mapping_of(row) for row in session.scalars(query)]


def find_holder(
    session: Session, namespace: str, name: str, *, but_not: str
) -> InstanceMapping | None:
    """Return a mapping of that name that holds a host."""
    query = select(InstanceMappingRow).where(
        InstanceMappingRow.namespace == namespace,
        InstanceMappingRow.name == name,
        InstanceMappingRow.server_uid != but_not,
        InstanceMappingRow.host.is_not(None),
    )
    row = session.scalars(query.limit(1)).first()
    return None if row is None else mapping_of(row)


def find_tombstone(session: Session, server_uid: str) -> Tombstone | None:
    """Return a Server's tombstone."""
    row = session.get(TombstoneRow, server_uid)
    return None if row is None else tombstone_of(row)
