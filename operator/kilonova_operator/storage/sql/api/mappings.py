"""Reading where Servers are and which are deleted. Blocking.

Statements of every claim are built once: building takes longer than running.
"""

from dataclasses import dataclass
from functools import cache

from sqlalchemy import Select, String, and_, bindparam, select
from sqlalchemy.orm import Session, aliased

from kilonova_operator.domain.placement import (
    HeldClaim,
    InstanceMapping,
    ServerRef,
    Tombstone,
)
from kilonova_operator.domain.refusals import DomainExists, ServerIsDeleted
from kilonova_operator.storage.sql.api.records import (
    held_claims_of,
    mapping_of,
    tombstone_of,
)
from kilonova_operator.storage.sql.api.schema import (
    AllocationRow,
    InstanceMappingRow,
    ResourceProviderRow,
    TombstoneRow,
)

_ASKED = ("uid", "namespace", "name")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rows say of a Server: its own, its tombstone, its name's holder."""

    mapping: InstanceMappingRow | None
    tombstone: TombstoneRow | None
    holder: InstanceMappingRow | None

    def check_buildable(self, server: ServerRef) -> None:
        """Refuse what must not be built.

        Raises:
            ServerIsDeleted, DomainExists
        """
        queued = self.mapping is not None and (
            self.mapping.queued_for_delete or self.mapping.retained
        )
        if self.tombstone is not None or queued:
            raise ServerIsDeleted(server)
        if self.holder is not None and self.holder.host is not None:
            raise DomainExists(server, self.holder.instance_uuid, self.holder.host)


def read_standing(session: Session, server: ServerRef) -> Standing:
    """Read all three in one statement."""
    asked = {"uid": server.uid, "namespace": server.namespace, "name": server.name}
    row = session.execute(_select_standing(), asked).one()
    return Standing(mapping=row[0], tombstone=row[1], holder=row[2])


@cache
def _select_standing() -> Select[InstanceMappingRow, TombstoneRow, InstanceMappingRow]:
    mine, stone = InstanceMappingRow, TombstoneRow
    holder = aliased(InstanceMappingRow)
    asked = select(
        *(bindparam(name, type_=String).label(name) for name in _ASKED)
    ).subquery("asked")
    held_by_other = and_(
        holder.namespace == asked.c.namespace,
        holder.name == asked.c.name,
        holder.server_uid != asked.c.uid,
        holder.host.is_not(None),
    )
    return (
        select(mine, stone, holder)
        .select_from(asked)
        .outerjoin(mine, mine.server_uid == asked.c.uid)
        .outerjoin(stone, stone.server_uid == asked.c.uid)
        .outerjoin(holder, held_by_other)
        .limit(1)
    )


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


def list_claims(session: Session, *, server_uid: str) -> tuple[HeldClaim, ...]:
    """List claims of a Server, newest placement first."""
    query = select(
        AllocationRow.server_uid,
        AllocationRow.placement_generation,
        ResourceProviderRow.name,
        AllocationRow.resource_class,
        AllocationRow.used,
    ).join(ResourceProviderRow, ResourceProviderRow.id == AllocationRow.provider_id)
    query = query.where(AllocationRow.server_uid == server_uid).order_by(
        AllocationRow.placement_generation.desc(),
        ResourceProviderRow.name,
        AllocationRow.resource_class,
    )
    return held_claims_of(session.execute(query).all())
