"""Putting rows right from witnesses, and giving a guest to a new Server. Blocking."""

from datetime import datetime
from ipaddress import IPv4Address
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session

from kilonova_operator.domain.placement import (
    InstanceMapping,
    NicClaim,
    NumaHold,
    RestoredClaim,
    ServerRef,
    WitnessedClaim,
)
from kilonova_operator.domain.providers import SHARING_TRAIT
from kilonova_operator.domain.quota import Usage
from kilonova_operator.domain.refusals import (
    HostUnmapped,
    MappingNotFound,
    ServerIsDeleted,
)
from kilonova_operator.storage.sql.api.cells import find_host_cell
from kilonova_operator.storage.sql.api.claiming.claim_rows import build_allocations
from kilonova_operator.storage.sql.api.claiming.standings import (
    Standing,
    read_standing,
)
from kilonova_operator.storage.sql.api.claiming.usages import (
    build_change,
    change_usage,
    counted_of,
    usage_of_claim,
)
from kilonova_operator.storage.sql.api.numa_placements import build_rows
from kilonova_operator.storage.sql.api.placements import list_claims
from kilonova_operator.storage.sql.api.provider_trees import (
    ensure_provider,
    get_row,
    set_traits,
)
from kilonova_operator.storage.sql.api.providers import (
    find_provider,
    step_generations,
)
from kilonova_operator.storage.sql.api.records import mapping_of, server_columns
from kilonova_operator.storage.sql.api.schema import (
    AllocationRow,
    GroupMemberRow,
    HostRecordRow,
    InstanceMappingRow,
    IpAllocationRow,
    NumaPlacementRow,
    SchedulingDecisionRow,
    TombstoneRow,
)
from kilonova_operator.storage.sql.bulk import insert_rows


def restore_claim(
    session: Session, witness: WitnessedClaim, *, now: datetime
) -> RestoredClaim:
    """Put back what a witness says is held.

    Raises:
        HostUnmapped: the host's mapping and inventory come first.
    """
    provider = find_provider(session, witness.host)
    cell = find_host_cell(session, witness.host)
    if provider is None or cell is None:
        raise HostUnmapped(witness.host)
    standing = read_standing(session, witness.server)
    mapped = _restore_mapping(session, standing, witness, cell=cell, now=now)
    allocated = _restore_allocations(session, witness, provider.id)
    given, lost = _restore_nics(session, witness)
    return RestoredClaim(changed=mapped or allocated or given, lost_nics=lost)


def adopt(
    session: Session, instance_uuid: str, server: ServerRef, *, now: datetime
) -> InstanceMapping:
    """Give a retained guest to a new Server.

    Raises:
        MappingNotFound: no retained guest of that uuid.
        ServerIsDeleted: the new Server has a tombstone.
    """
    query = select(InstanceMappingRow).where(
        InstanceMappingRow.instance_uuid == instance_uuid
    )
    row = session.scalars(query).first()
    if row is not None and row.server_uid == server.uid:
        return mapping_of(row)  # done before
    if row is None or not row.retained:
        raise MappingNotFound(instance_uuid)
    if session.get(TombstoneRow, server.uid) is not None:
        raise ServerIsDeleted(server)
    _rekey(session, row, server)
    row.retained, row.object_generation, row.updated_at = False, 0, now
    session.flush()
    _count_again(session, None, row)
    return mapping_of(row)


def _rekey(session: Session, row: InstanceMappingRow, server: ServerRef) -> None:
    """Give a mapping, its claims, addresses and decisions to another Server."""
    keys = (
        AllocationRow.server_uid,
        GroupMemberRow.server_uid,
        IpAllocationRow.server_uid,
        NumaPlacementRow.server_uid,
        SchedulingDecisionRow.server_uid,
        HostRecordRow.server_uid,
    )
    for key in keys:
        session.execute(
            update(key.class_)
            .where(key == row.server_uid)
            .values(server_uid=server.uid),
            execution_options={"synchronize_session": False},
        )
    # Who rekeys may know the namespace by name only.
    namespace_uid = server.namespace_uid or row.namespace_uid
    columns = server_columns(server) | {"namespace_uid": namespace_uid}
    for column, value in columns.items():
        setattr(row, column, value)
    session.flush()


def _restore_mapping(
    session: Session,
    standing: Standing,
    witness: WitnessedClaim,
    *,
    cell: str,
    now: datetime,
) -> bool:
    mapping = standing.mapping or _find_of_guest(session, witness)
    deleted = witness.deleted or standing.deleted
    before = None if mapping is None else counted_of(mapping)
    known = -1 if mapping is None else mapping.placement_generation
    if known > witness.placement_generation:
        return False
    if witness.deleted and not standing.deleted:
        stone = server_columns(witness.server) | {"deleted_at": now}
        session.execute(insert(TombstoneRow).values(**stone))
    if mapping is not None and known == witness.placement_generation:
        return _restore_delete(session, mapping, deleted=deleted, now=now)
    if mapping is None:
        mapping = InstanceMappingRow(
            **server_columns(witness.server),
            instance_uuid=witness.instance_uuid,
            object_generation=witness.object_generation,
            attempt=1,
            tried_hosts=[],
            request_id="",
            retained=False,
            created_at=now,
        )
        session.add(mapping)
    elif mapping.server_uid != witness.server.uid:  # it was adopted after the backup
        _rekey(session, mapping, witness.server)
        mapping.retained = False
    mapping.queued_for_delete = deleted
    mapping.cell, mapping.host = cell, witness.host
    mapping.placement_generation = witness.placement_generation
    usage = usage_of_claim(witness)
    mapping.vcpus, mapping.ram_mib = usage.cores, usage.ram_mib
    mapping.group_uid, mapping.zone = witness.group_uid, witness.zone
    mapping.object_generation = max(
        mapping.object_generation, witness.object_generation
    )
    mapping.updated_at = now
    session.flush()
    _count_again(session, before, mapping)
    return True


def _count_again(
    session: Session, before: tuple[str, Usage] | None, mapping: InstanceMappingRow
) -> None:
    """Keep the namespaces' usage equal to the sum of their Servers."""
    change_usage(session.connection(), build_change(before, counted_of(mapping)))


def _restore_delete(
    session: Session, mapping: InstanceMappingRow, *, deleted: bool, now: datetime
) -> bool:
    """Queue a mapping again whose delete was recorded after the backup."""
    if not deleted or mapping.queued_for_delete or mapping.retained:
        return False
    before = counted_of(mapping)
    mapping.queued_for_delete, mapping.updated_at = True, now
    session.flush()
    _count_again(session, before, mapping)
    return True


def _find_of_guest(
    session: Session, witness: WitnessedClaim
) -> InstanceMappingRow | None:
    query = select(InstanceMappingRow).where(
        InstanceMappingRow.instance_uuid == witness.instance_uuid
    )
    return session.scalars(query).first()


def _restore_allocations(
    session: Session, witness: WitnessedClaim, provider_id: int
) -> bool:
    held = list_claims(session, server_uid=witness.server.uid)
    if any(h.placement_generation == witness.placement_generation for h in held):
        return False
    taken = {provider_id: witness.amounts} | {
        _ensure_sharing(session, name): amounts
        for name, amounts in witness.shared.items()
    }
    step_generations(session, taken)
    rows = [
        row
        for provider, amounts in taken.items()
        for row in build_allocations(
            provider,
            server_uid=witness.server.uid,
            placement_generation=witness.placement_generation,
            amounts=amounts,
        )
    ]
    insert_rows(session.connection(), AllocationRow, rows)
    insert_rows(session.connection(), NumaPlacementRow, _build_numa_rows(witness))
    if witness.group_uid is not None:
        session.add(
            GroupMemberRow(
                server_uid=witness.server.uid,
                placement_generation=witness.placement_generation,
                group_uid=witness.group_uid,
                host=witness.host,
                zone=witness.zone,
            )
        )
        session.flush()
    return True


def _ensure_sharing(session: Session, name: str) -> int:
    """Return the id of a provider that hosts share; its aggregate fills it later."""
    row = find_provider(session, name)
    if row is None:
        ensure_provider(session, name, parent=None)
        set_traits(session, name, (SHARING_TRAIT,))
        row = get_row(session, name)
    return row.id


def _build_numa_rows(witness: WitnessedClaim) -> list[dict[str, Any]]:
    """Return the row of a guest's place: it runs there, whoever else has it too."""
    if witness.numa is None:
        return []
    uid, generation = witness.server.uid, witness.placement_generation
    return build_rows([NumaHold(uid, generation, witness.host, witness.numa)])


def _restore_nics(
    session: Session, witness: WitnessedClaim
) -> tuple[bool, tuple[NicClaim, ...]]:
    """Give back what is free; returns whether any, and NICs that lost theirs."""
    changed, lost = False, []
    for nic in witness.nics:
        row, address = IpAllocationRow, int(IPv4Address(nic.address))
        uid = witness.server.uid
        same_address = (row.network_id == nic.network_id) & (row.address == address)
        same_nic = (row.server_uid == uid) & (row.nic == nic.name)
        query = select(row).where(or_(same_address, row.mac == nic.mac, same_nic))
        holders = session.scalars(query).all()
        if not holders:
            session.execute(
                insert(row).values(
                    network_id=nic.network_id,
                    address=address,
                    server_uid=uid,
                    nic=nic.name,
                    mac=nic.mac,
                )
            )
            changed = True
        elif any((h.server_uid, h.nic) != (uid, nic.name) for h in holders):
            lost.append(nic)
    return changed, tuple(lost)
