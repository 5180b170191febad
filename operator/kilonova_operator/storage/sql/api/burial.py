"""cell0: where Servers wait that fit nowhere. Blocking."""

from datetime import datetime

from sqlalchemy.orm import Session

from kilonova_api.names import CELL0
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.placement import BuryRequest, InstanceMapping
from kilonova_operator.storage.sql.api.claiming.standings import read_standing
from kilonova_operator.storage.sql.api.claiming.usages import (
    build_change,
    change_usage,
    counted_of,
)
from kilonova_operator.storage.sql.api.decisions import add_decision
from kilonova_operator.storage.sql.api.records import mapping_of, server_columns
from kilonova_operator.storage.sql.api.schema import InstanceMappingRow


class StillPlaced(KilonovaError):
    """A Server that holds a host cannot be parked in cell0."""

    def __init__(self, server: str, host: str) -> None:
        super().__init__(
            f"Server {server} still holds host {host}: release that placement first"
        )


def bury(session: Session, request: BuryRequest, *, now: datetime) -> InstanceMapping:
    """Map a Server to cell0.

    Source: nova.conductor.manager._bury_in_cell0, Nova 34.

    Raises:
        DomainExists, ServerIsDeleted, StillPlaced
    """
    standing = read_standing(session, request.server)
    standing.check_buildable(request.server)
    made = standing.mapping
    if made is not None and made.host is not None:
        raise StillPlaced(str(request.server), made.host)
    generation = max(
        made.placement_generation if made else 0, request.placement_generation_floor
    )
    if made is None:
        made = InstanceMappingRow(
            **server_columns(request.server),
            instance_uuid=request.instance_uuid or request.server.uid,
            object_generation=request.object_generation,
            queued_for_delete=False,
            retained=False,
            group_uid=None,
            zone="",
            vcpus=0,
            ram_mib=0,
            created_at=now,
        )
        session.add(made)
    else:
        # Whoever waits for a host counts nothing.
        counted = counted_of(made)
        change_usage(session.connection(), build_change(counted, None))
    made.cell, made.host = CELL0, None
    made.placement_generation, made.attempt = generation, 0
    made.tried_hosts, made.request_id = [], ""
    made.object_generation = max(made.object_generation, request.object_generation)
    made.updated_at = now
    session.flush()
    if request.decision is not None:
        add_decision(session, request.server.uid, request.decision, now=now)
    return mapping_of(made)
