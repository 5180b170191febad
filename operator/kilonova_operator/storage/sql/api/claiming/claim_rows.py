"""The rows of claims: allocations, mappings, members of groups. Blocking."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, false, update

from kilonova_operator.domain.placement import Claim, ClaimRequest, NumaHold
from kilonova_operator.domain.quota import Usage
from kilonova_operator.domain.refusals import ConcurrentUpdate
from kilonova_operator.storage.sql.api.decisions import add_decisions, insert_decisions
from kilonova_operator.storage.sql.api.numa_placements import build_rows
from kilonova_operator.storage.sql.api.records import server_columns
from kilonova_operator.storage.sql.api.schema import (
    AllocationRow,
    GroupMemberRow,
    InstanceMappingRow,
    NumaPlacementRow,
)
from kilonova_operator.storage.sql.bulk import insert_rows
from kilonova_operator.storage.sql.transactions import TransactionLost


@dataclass(frozen=True, slots=True)
class NewClaim:
    """A claim that is to be written, and the Server's row as it was read."""

    request: ClaimRequest
    mapping: InstanceMappingRow | None
    usage: Usage
    claim: Claim


def next_generation(mapping: InstanceMappingRow | None, floor: int) -> int:
    """Return a placement generation above the row's and above every witness's."""
    return max(mapping.placement_generation if mapping else 0, floor) + 1


def write_claims(
    connection: Connection,
    made: Sequence[NewClaim],
    *,
    id_of: Callable[[str], int],
    now: datetime,
) -> None:
    """Write claims whose providers' generations were stepped.

    Raises:
        TransactionLost: a Server's row changed since it was read.
    """
    insert_rows(connection, AllocationRow, _build_allocations(made, id_of))
    insert_rows(connection, GroupMemberRow, _build_members(made))
    insert_rows(connection, NumaPlacementRow, build_rows(_list_numa(made)))
    first = [m for m in made if m.mapping is None]
    again = [m for m in made if m.mapping is not None]
    insert_rows(connection, InstanceMappingRow, [_build_mapping(m, now) for m in first])
    _update_mappings(connection, again, now)
    insert_decisions(connection, _decisions_of(first), now=now)
    add_decisions(connection, _decisions_of(again), now=now)


def build_allocations(
    provider_id: int,
    *,
    server_uid: str,
    placement_generation: int,
    amounts: Mapping[str, int],
) -> list[dict[str, Any]]:
    """Return the rows of what one placement holds of one provider."""
    return [
        {
            "server_uid": server_uid,
            "placement_generation": placement_generation,
            "provider_id": provider_id,
            "resource_class": resource_class,
            "used": amount,
        }
        for resource_class, amount in amounts.items()
        if amount
    ]


def _build_allocations(
    made: Iterable[NewClaim], id_of: Callable[[str], int]
) -> list[dict[str, Any]]:
    return [
        row
        for new in made
        for name, amounts in {
            new.claim.host: new.claim.amounts,
            **new.claim.shared,
        }.items()
        for row in build_allocations(
            id_of(name),
            server_uid=new.claim.server.uid,
            placement_generation=new.claim.placement_generation,
            amounts=amounts,
        )
    ]


def _build_members(made: Iterable[NewClaim]) -> list[dict[str, Any]]:
    return [
        {
            "server_uid": new.claim.server.uid,
            "placement_generation": new.claim.placement_generation,
            "group_uid": new.claim.group_uid,
            "host": new.claim.host,
            "zone": new.claim.zone,
        }
        for new in made
        if new.claim.group_uid is not None
    ]


def _list_numa(made: Iterable[NewClaim]) -> Iterable[NumaHold]:
    for claim in (new.claim for new in made):
        if claim.numa is not None:
            uid, generation = claim.server.uid, claim.placement_generation
            yield NumaHold(uid, generation, claim.host, claim.numa)


def _build_values(new: NewClaim, now: datetime) -> dict[str, Any]:
    """Return what every claim writes anew into its Server's row."""
    claim, usage = new.claim, new.usage
    return {
        "cell": claim.cell,
        "host": claim.host,
        "placement_generation": claim.placement_generation,
        "attempt": claim.attempt,
        "tried_hosts": list(claim.tried_hosts),
        "request_id": new.request.request_id,
        "group_uid": claim.group_uid,
        "zone": claim.zone,
        "vcpus": usage.cores,
        "ram_mib": usage.ram_mib,
        "updated_at": now,
    }


def _build_mapping(new: NewClaim, now: datetime) -> dict[str, Any]:
    fixed = {
        "instance_uuid": new.claim.instance_uuid,
        "object_generation": new.request.object_generation,
        "queued_for_delete": False,
        "retained": False,
        "created_at": now,
    }
    return server_columns(new.claim.server) | fixed | _build_values(new, now)


def _update_mappings(
    connection: Connection, again: Sequence[NewClaim], now: datetime
) -> None:
    """Update rows that were there; an object generation never goes back."""
    if not again:
        return
    rows = []
    for new in again:
        before = new.mapping
        if before is None:
            raise ValueError(f"{new.claim.server} has no row to update")
        generation = max(before.object_generation, new.request.object_generation)
        namespace_uid = new.claim.server.namespace_uid or before.namespace_uid
        known = {
            "the_uid": before.server_uid,
            "the_generation": before.placement_generation,
            "object_generation": generation,
            "namespace_uid": namespace_uid,
        }
        rows.append(known | _build_values(new, now))
    if connection.execute(_update(), rows).rowcount != len(rows):
        raise TransactionLost(ConcurrentUpdate(again[0].claim.host))


@cache
def _update() -> Update:
    row = InstanceMappingRow
    columns = (
        "cell",
        "host",
        "placement_generation",
        "attempt",
        "tried_hosts",
        "request_id",
        "group_uid",
        "zone",
        "vcpus",
        "ram_mib",
        "updated_at",
        "object_generation",
        "namespace_uid",
    )
    return (
        update(row)
        .where(row.server_uid == bindparam("the_uid"))
        .where(row.placement_generation == bindparam("the_generation"))
        .where(row.queued_for_delete == false(), row.retained == false())
        .values({name: bindparam(name) for name in columns})
    )


def _decisions_of(made: Iterable[NewClaim]) -> dict[str, Any]:
    return {
        new.claim.server.uid: new.request.decision
        for new in made
        if new.request.decision is not None
    }
