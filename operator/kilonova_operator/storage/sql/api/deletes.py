"""Deletion: recorded first, given back when the guest is proven gone. Blocking.

::

    record_delete   tombstone in, mapping queued: never built again, all held
    release         one placement's domain is proven gone: its amounts are free;
                    the last one of a queued Server takes its rows along
    finish_delete   the same for a Server that holds no host
    forget_unplaced the same for one in cell0 that nobody deleted
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from kilonova_api.names import CELL0
from kilonova_operator.domain.inventory import ProviderView
from kilonova_operator.domain.placement import (
    HeldClaim,
    InstanceMapping,
    Released,
    ServerRef,
)
from kilonova_operator.storage.sql.api.claiming.standings import read_standing
from kilonova_operator.storage.sql.api.claiming.usages import (
    build_change,
    change_usage,
    counted_of,
)
from kilonova_operator.storage.sql.api.decisions import forget_decisions
from kilonova_operator.storage.sql.api.numa_placements import delete_placement
from kilonova_operator.storage.sql.api.placements import list_claims
from kilonova_operator.storage.sql.api.providers import (
    read_host_views,
    step_generations,
)
from kilonova_operator.storage.sql.api.records import mapping_of, server_columns
from kilonova_operator.storage.sql.api.schema import (
    AllocationRow,
    GroupMemberRow,
    InstanceMappingRow,
    IpAllocationRow,
    TombstoneRow,
)
from kilonova_operator.storage.sql.epoch import count_changed


def record_delete(
    session: Session, server: ServerRef, *, retain: bool, now: datetime
) -> InstanceMapping | None:
    """Write the tombstone and mark the mapping; what is held stays held."""
    standing = read_standing(session, server)
    if not standing.deleted:
        stone = server_columns(server) | {"deleted_at": now}
        session.execute(insert(TombstoneRow).values(**stone))
    mapping = standing.mapping
    if mapping is None:
        return None
    if not (mapping.queued_for_delete or mapping.retained):
        # Given back at once, whatever its host still holds: a tenant who
        # deletes a Server may have another one.
        change_usage(session.connection(), build_change(counted_of(mapping), None))
        mapping.retained, mapping.queued_for_delete = retain, not retain
        mapping.updated_at = now
        session.flush()
    return mapping_of(mapping)


def release(
    session: Session, server_uid: str, placement_generation: int, *, now: datetime
) -> Released:
    """Give back one placement; the rows too if it was a deleted Server's last."""
    held = list_claims(session, server_uid=server_uid)
    given = tuple(h for h in held if h.placement_generation == placement_generation)
    left = tuple(h for h in held if h.placement_generation != placement_generation)
    providers = _free(session, server_uid, placement_generation, given)
    mapping = session.get(InstanceMappingRow, server_uid)
    if mapping is None:
        return Released(given, left, finished=not left, providers=providers)
    if mapping.queued_for_delete or mapping.retained:
        if not left:
            _remove_rows(session, server_uid)
    elif mapping.placement_generation == placement_generation:
        mapping.host, mapping.updated_at = None, now
        session.flush()
    finished = not left and (mapping.queued_for_delete or mapping.retained)
    return Released(given, left, finished=finished, providers=providers)


def finish_delete(session: Session, server_uid: str) -> bool:
    """Remove the rows of a recorded delete that holds nothing."""
    mapping = session.get(InstanceMappingRow, server_uid)
    if mapping is None:
        return True
    if not mapping.queued_for_delete or list_claims(session, server_uid=server_uid):
        return False
    _remove_rows(session, server_uid)
    return True


def forget_unplaced(session: Session, server_uid: str) -> bool:
    """Remove the rows of a Server in cell0 that holds no host."""
    mapping = session.get(InstanceMappingRow, server_uid)
    if mapping is None:
        return True
    placed = mapping.cell != CELL0 or mapping.host is not None
    if placed or list_claims(session, server_uid=server_uid):
        return False
    _remove_rows(session, server_uid)
    return True


def sweep_tombstones(session: Session, *, before: datetime) -> int:
    """Remove old tombstones; one whose Server still holds something stays."""
    held = select(InstanceMappingRow.server_uid).where(
        InstanceMappingRow.server_uid == TombstoneRow.server_uid
    )
    return count_changed(
        session,
        delete(TombstoneRow).where(TombstoneRow.deleted_at < before, ~held.exists()),
    )


def note_object_generation(session: Session, server_uid: str, generation: int) -> None:
    """Raise the object generation acted on."""
    row = InstanceMappingRow
    session.execute(
        update(row)
        .where(row.server_uid == server_uid, row.object_generation < generation)
        .values(object_generation=generation),
        execution_options={"synchronize_session": False},
    )


def _free(
    session: Session,
    server_uid: str,
    placement_generation: int,
    given: Sequence[HeldClaim],
) -> tuple[ProviderView, ...]:
    if not given:
        return ()
    query = select(AllocationRow.provider_id).where(
        AllocationRow.server_uid == server_uid,
        AllocationRow.placement_generation == placement_generation,
    )
    # The lock first: a claim on the same host waits, then reads what is free.
    step_generations(session, session.scalars(query))
    for row in (AllocationRow, GroupMemberRow):
        session.execute(
            delete(row).where(
                row.server_uid == server_uid,
                row.placement_generation == placement_generation,
            ),
            execution_options={"synchronize_session": False},
        )
    if any(claim.numa is not None for claim in given):
        delete_placement(session, server_uid, placement_generation)
    views = read_host_views(session, hosts=[claim.host for claim in given])
    return tuple(views.values())


def _remove_rows(session: Session, server_uid: str) -> None:
    for key in (IpAllocationRow.server_uid, InstanceMappingRow.server_uid):
        session.execute(
            delete(key.class_).where(key == server_uid),
            execution_options={"synchronize_session": False},
        )
    forget_decisions(session, server_uid)
