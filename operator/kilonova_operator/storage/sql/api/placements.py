"""What placements of Servers hold. Blocking."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, and_, select
from sqlalchemy.orm import Session

from kilonova_operator.domain.placement import Claim, HeldClaim, NicClaim, Placement
from kilonova_operator.storage.sql.api.records import held_claims_of, nic_of, server_of
from kilonova_operator.storage.sql.api.schema import (
    AllocationRow,
    InstanceMappingRow,
    IpAllocationRow,
    NumaPlacementRow,
    ResourceProviderRow,
)


def find_claim(session: Session, server_uid: str) -> Claim | None:
    """Return a Server's newest placement, if it has a host."""
    return find_claims(session, [server_uid]).get(server_uid)


def find_claims(session: Session, server_uids: Sequence[str]) -> dict[str, Claim]:
    """Return the newest placements of Servers that have a host, by uid."""
    row = InstanceMappingRow
    mappings = session.scalars(
        select(row).where(row.server_uid.in_(server_uids), row.host.is_not(None))
    ).all()
    held = {
        (claim.server_uid, claim.placement_generation): claim
        for claim in _list_claims(session, server_uids)
    }
    nics = _list_nics(session, server_uids)
    return {
        mapping.server_uid: _build_claim(
            mapping,
            held.get((mapping.server_uid, mapping.placement_generation)),
            nics.get(mapping.server_uid, ()),
        )
        for mapping in mappings
    }


def list_claims(session: Session, *, server_uid: str) -> tuple[HeldClaim, ...]:
    """List claims of a Server, newest placement first."""
    return _list_claims(session, [server_uid])


def list_held_claims(
    session: Session, *, host: str | None, after: str, limit: int
) -> tuple[HeldClaim, ...]:
    """List all that ``limit`` Servers hold, those after ``after`` by uid."""
    row, provider = AllocationRow, ResourceProviderRow
    uids = select(row.server_uid).where(row.server_uid > after).distinct()
    if host is not None:
        uids = uids.join(provider, provider.id == row.provider_id).where(
            provider.name == host
        )
    page = session.scalars(uids.order_by(row.server_uid).limit(limit)).all()
    held = _list_claims(session, page)
    return held if host is None else tuple(one for one in held if one.host == host)


def list_placements(session: Session, *, after: str, limit: int) -> list[Placement]:
    """List one page of Servers that have a host, by uid."""
    row = InstanceMappingRow
    found = session.execute(
        select(row.server_uid, row.host, row.group_uid, row.zone)
        .where(row.server_uid > after, row.host.is_not(None))
        .order_by(row.server_uid)
        .limit(limit)
    )
    return [Placement(uid, host or "", group, zone) for uid, host, group, zone in found]


def select_claims() -> Select[str, int, str, bool, str, int, dict[str, Any]]:
    """Select rows for ``held_claims_of``, in its order."""
    row, provider, numa = AllocationRow, ResourceProviderRow, NumaPlacementRow
    return (
        select(
            row.server_uid,
            row.placement_generation,
            provider.name,
            provider.is_host,
            row.resource_class,
            row.used,
            numa.placement,
        )
        .join(provider, provider.id == row.provider_id)
        .outerjoin(
            numa,
            and_(
                numa.server_uid == row.server_uid,
                numa.placement_generation == row.placement_generation,
            ),
        )
        .order_by(
            row.server_uid,
            row.placement_generation.desc(),
            provider.name,
            row.resource_class,
        )
    )


def _list_claims(session: Session, server_uids: Sequence[str]) -> tuple[HeldClaim, ...]:
    query = select_claims().where(AllocationRow.server_uid.in_(server_uids))
    return held_claims_of(session.execute(query).all())


def _list_nics(
    session: Session, server_uids: Sequence[str]
) -> dict[str, Iterable[NicClaim]]:
    row = IpAllocationRow
    query = select(row).where(row.server_uid.in_(server_uids)).order_by(row.nic)
    nics: dict[str, list[NicClaim]] = {}
    for found in session.scalars(query):
        nics.setdefault(found.server_uid, []).append(nic_of(found))
    return {uid: tuple(claims) for uid, claims in nics.items()}


def _build_claim(
    row: InstanceMappingRow, held: HeldClaim | None, nics: Iterable[NicClaim]
) -> Claim:
    return Claim(
        server=server_of(row),
        instance_uuid=row.instance_uuid,
        cell=row.cell,
        host=row.host or "",
        placement_generation=row.placement_generation,
        amounts=held.amounts if held else {},
        nics=tuple(nics),
        attempt=row.attempt,
        tried_hosts=tuple(row.tried_hosts),
        shared=held.shared if held else {},
        group_uid=row.group_uid,
        zone=row.zone,
        numa=held.numa if held else None,
    )
