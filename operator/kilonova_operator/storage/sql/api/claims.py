"""The claim: host, amounts, addresses and mapping in one transaction. Blocking.

Statements of a first claim with one NIC: standing, provider view, generation
step, networks, free address, NIC, allocations, mapping, (decision), epoch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from kilonova_operator.domain.inventory import ProviderView, sort_amounts
from kilonova_operator.domain.placement import Claim, ClaimRequest, ServerRef
from kilonova_operator.domain.refusals import (
    CapacityExceeded,
    ConcurrentUpdate,
    HostUnmapped,
)
from kilonova_operator.storage.sql.api.decisions import add_decision, insert_decision
from kilonova_operator.storage.sql.api.mappings import list_claims, read_standing
from kilonova_operator.storage.sql.api.nics import NicAssigner, list_nics
from kilonova_operator.storage.sql.api.providers import read_views
from kilonova_operator.storage.sql.api.records import server_columns, server_of
from kilonova_operator.storage.sql.api.schema import (
    AllocationRow,
    InstanceMappingRow,
    ResourceProviderRow,
)
from kilonova_operator.storage.sql.epoch import count_changed
from kilonova_operator.storage.sql.transactions import TransactionLost


@dataclass(frozen=True, slots=True)
class Claimer:
    """Makes claims."""

    nics: NicAssigner
    utcnow: Callable[[], datetime]

    def claim(self, session: Session, request: ClaimRequest) -> Claim:
        """Make a claim, or return the one that this request made before.

        Raises:
            ClaimRefused: nothing is claimed.
            TransactionLost: another write of the host was faster.
        """
        standing = read_standing(session, request.server)
        made = standing.mapping
        if made is not None and made.request_id == request.request_id:
            repeated = find_claim(session, request.server.uid)
            if repeated is not None:
                return repeated
        standing.check_buildable(request.server)
        provider_id, provider = _take_room(session, request)
        floor = request.placement_generation_floor
        claim = Claim(
            server=request.server,
            instance_uuid=_instance_uuid(made, request),
            cell=provider.cell,
            host=request.host,
            placement_generation=next_generation(made, floor),
            amounts=dict(sort_amounts(request.amounts)),
            nics=self.nics.assign(
                session,
                request.server.uid,
                request.nics,
                held=request.held_addresses,
            ),
            attempt=request.attempt,
            tried_hosts=request.tried_hosts,
            provider=provider,
        )
        write_allocations(
            session,
            provider_id,
            server_uid=request.server.uid,
            placement_generation=claim.placement_generation,
            amounts=claim.amounts,
        )
        self._write_mapping(session, made, request, claim)
        return claim

    def _write_mapping(
        self,
        session: Session,
        made: InstanceMappingRow | None,
        request: ClaimRequest,
        claim: Claim,
    ) -> None:
        now = self.utcnow()
        values = {
            "cell": claim.cell,
            "host": claim.host,
            "placement_generation": claim.placement_generation,
            "attempt": claim.attempt,
            "tried_hosts": list(claim.tried_hosts),
            "request_id": request.request_id,
        }
        write_mapping(
            session,
            made,
            server=request.server,
            instance_uuid=claim.instance_uuid,
            object_generation=request.object_generation,
            values=values,
            now=now,
        )
        if request.decision is None:
            return
        keep = insert_decision if made is None else add_decision
        keep(session, request.server.uid, request.decision, now=now)


def find_claim(session: Session, server_uid: str) -> Claim | None:
    """Return a Server's newest placement, if it has a host."""
    row = session.get(InstanceMappingRow, server_uid)
    if row is None or row.host is None:
        return None
    held = list_claims(session, server_uid=server_uid)
    newest = [h for h in held if h.placement_generation == row.placement_generation]
    return Claim(
        server=server_of(row),
        instance_uuid=row.instance_uuid,
        cell=row.cell,
        host=row.host,
        placement_generation=row.placement_generation,
        amounts=newest[0].amounts if newest else {},
        nics=list_nics(session, server_uid),
        attempt=row.attempt,
        tried_hosts=tuple(row.tried_hosts),
    )


def next_generation(made: InstanceMappingRow | None, floor: int) -> int:
    """Return a placement generation above the row's and above every witness's."""
    return max(made.placement_generation if made else 0, floor) + 1


def write_allocations(
    session: Session,
    provider_id: int,
    *,
    server_uid: str,
    placement_generation: int,
    amounts: Mapping[str, int],
) -> None:
    """Write what one placement holds; the provider's generation was stepped."""
    rows = [
        {
            "server_uid": server_uid,
            "placement_generation": placement_generation,
            "provider_id": provider_id,
            "resource_class": resource_class,
            "used": amount,
        }
        for resource_class, amount in sort_amounts(amounts)
    ]
    if rows:
        session.execute(insert(AllocationRow), rows)


def write_mapping(
    session: Session,
    made: InstanceMappingRow | None,
    *,
    server: ServerRef,
    instance_uuid: str,
    object_generation: int,
    values: Mapping[str, Any],
    now: datetime,
) -> None:
    """Insert or update a mapping; the object generation never goes back."""
    if made is None:
        fixed = {
            "instance_uuid": instance_uuid,
            "object_generation": object_generation,
            "queued_for_delete": False,
            "retained": False,
            "group_uid": None,
            "zone": "",
            "vcpus": 0,
            "ram_mib": 0,
            "created_at": now,
            "updated_at": now,
        }
        row = server_columns(server) | fixed | dict(values)
        session.execute(insert(InstanceMappingRow).values(**row))
        return
    newest = max(made.object_generation, object_generation)
    session.execute(
        update(InstanceMappingRow)
        .where(InstanceMappingRow.server_uid == server.uid)
        .values(object_generation=newest, updated_at=now, **values),
        execution_options={"synchronize_session": False},
    )


def _instance_uuid(made: InstanceMappingRow | None, request: ClaimRequest) -> str:
    if made is not None:
        return made.instance_uuid
    return request.instance_uuid or request.server.uid


def _take_room(session: Session, request: ClaimRequest) -> tuple[int, ProviderView]:
    """Check the room and step the generation it was read at, or neither.

    Returns the provider's id and its view with the claim in it.
    """
    views = read_views(session, hosts=[request.host])
    if not views:
        raise HostUnmapped(request.host)
    provider_id, seen = next(iter(views.items()))
    short = seen.find_shortfall(request.amounts)
    if short is not None:
        wanted = request.amounts[short]
        raise CapacityExceeded(
            request.host, short, wanted=wanted, free=max(seen.free(short), 0.0)
        )
    stepped = count_changed(
        session,
        update(ResourceProviderRow)
        .where(
            ResourceProviderRow.id == provider_id,
            ResourceProviderRow.generation == seen.generation,
        )
        .values(generation=seen.generation + 1),
    )
    if stepped != 1:
        raise TransactionLost(ConcurrentUpdate(request.host))
    return provider_id, _with_claim(seen, request.amounts)


def _with_claim(seen: ProviderView, amounts: Mapping[str, int]) -> ProviderView:
    used = {name: taken + amounts.get(name, 0) for name, taken in seen.used.items()}
    return replace(
        seen, generation=seen.generation + 1, used=used, claims=seen.claims + 1
    )
