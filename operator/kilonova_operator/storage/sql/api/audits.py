"""Comparing claims, Servers and usage. Blocking.

Each comparison is one statement, of one snapshot: claims go on meanwhile.
"""

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import Integer, and_, func, literal, not_, select, union_all
from sqlalchemy.orm import Session

from kilonova_api.names import CELL0
from kilonova_operator.domain.audit import ClaimAudit, CpuClash
from kilonova_operator.domain.placement import HeldClaim, InstanceMapping
from kilonova_operator.domain.quota import NamespaceUsage, Usage, UsageDrift
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement
from kilonova_operator.domain.scheduling.numa.shared_cpus import find_shared_cpus
from kilonova_operator.storage.sql.api.claiming.usages import change_usage
from kilonova_operator.storage.sql.api.numa_placements import read_placements
from kilonova_operator.storage.sql.api.placements import select_claims
from kilonova_operator.storage.sql.api.records import held_claims_of, mapping_of
from kilonova_operator.storage.sql.api.schema import (
    AllocationRow,
    InstanceMappingRow,
    NamespaceUsageRow,
)


def read_usage(session: Session, namespace_uid: str) -> Usage:
    """Return what a namespace uses."""
    row = session.get(NamespaceUsageRow, namespace_uid)
    return Usage() if row is None else _usage_of(row).usage


def list_usages(session: Session, *, after: str, limit: int) -> list[NamespaceUsage]:
    """List one page of usage by the namespaces' uids."""
    row = NamespaceUsageRow
    found = session.scalars(
        select(row)
        .where(row.namespace_uid > after)
        .order_by(row.namespace_uid)
        .limit(limit)
    )
    return [_usage_of(usage) for usage in found]


def audit(session: Session, *, limit: int) -> ClaimAudit:
    """Find what does not agree, at most ``limit`` of a kind."""
    return ClaimAudit(
        claims_of_nobody=_list_claims_of_nobody(session, limit),
        unclaimed=_list_unclaimed(session, limit),
        usage_drift=list_drift(session)[:limit],
        cpu_clashes=tuple(islice(_list_clashes(session), limit)),
    )


def repair_usages(session: Session) -> tuple[UsageDrift, ...]:
    """Make every usage what is counted; no other write may run meanwhile."""
    drift = list_drift(session)
    change_usage(
        session.connection(),
        {found.namespace_uid: found.counted - found.kept for found in drift},
    )
    return drift


def list_drift(session: Session) -> tuple[UsageDrift, ...]:
    """List namespaces whose kept usage is not the sum over their Servers."""
    row, kept = InstanceMappingRow, NamespaceUsageRow
    counted = (
        select(
            row.namespace_uid,
            func.count(),
            func.sum(row.vcpus),
            func.sum(row.ram_mib),
            literal(1, Integer),
        )
        .where(
            row.cell != CELL0,
            not_(row.queued_for_delete),
            not_(row.retained),
            row.namespace_uid != "",
        )
        .group_by(row.namespace_uid)
    )
    stored = select(
        kept.namespace_uid,
        kept.instances,
        kept.cores,
        kept.ram_mib,
        literal(0, Integer),
    )
    sums: tuple[dict[str, Usage], dict[str, Usage]] = ({}, {})
    for uid, instances, cores, ram_mib, which in session.execute(
        union_all(stored, counted)
    ):
        sums[which][uid] = Usage(int(instances), int(cores), int(ram_mib))
    return tuple(
        UsageDrift(uid, sums[0].get(uid, Usage()), sums[1].get(uid, Usage()))
        for uid in sorted(sums[0].keys() | sums[1].keys())
        if sums[0].get(uid, Usage()) != sums[1].get(uid, Usage())
    )


def _list_clashes(session: Session) -> Iterator[CpuClash]:
    by_host: dict[str, dict[str, NumaPlacement]] = {}
    for hold in read_placements(session.connection()):
        name = f"{hold.server_uid}/{hold.placement_generation}"
        by_host.setdefault(hold.host, {})[name] = hold.placement
    for host, guests in sorted(by_host.items()):
        for first, second, cpus in find_shared_cpus(guests):
            yield CpuClash(host, first, second, cpus)


def _list_claims_of_nobody(session: Session, limit: int) -> tuple[HeldClaim, ...]:
    mapped = select(InstanceMappingRow.server_uid).where(
        InstanceMappingRow.server_uid == AllocationRow.server_uid
    )
    query = select_claims().where(~mapped.exists()).limit(limit)
    return held_claims_of(session.execute(query).all())


def _list_unclaimed(session: Session, limit: int) -> tuple[InstanceMapping, ...]:
    row = InstanceMappingRow
    held = select(AllocationRow.server_uid).where(
        and_(
            AllocationRow.server_uid == row.server_uid,
            AllocationRow.placement_generation == row.placement_generation,
        )
    )
    found = session.scalars(
        select(row)
        .where(row.host.is_not(None), not_(row.queued_for_delete), ~held.exists())
        .order_by(row.server_uid)
        .limit(limit)
    )
    return tuple(mapping_of(mapping) for mapping in found)


def _usage_of(row: NamespaceUsageRow) -> NamespaceUsage:
    usage = Usage(row.instances, row.cores, row.ram_mib)
    return NamespaceUsage(row.namespace_uid, usage)
