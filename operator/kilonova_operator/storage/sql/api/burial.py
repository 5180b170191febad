"""cell0: where Servers wait that fit nowhere. Blocking."""

from datetime import datetime

from sqlalchemy.orm import Session

from kilonova_api.names import CELL0
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.placement import BuryRequest, InstanceMapping
from kilonova_operator.domain.refusals import MappingNotFound
from kilonova_operator.storage.sql.api.claims import write_mapping
from kilonova_operator.storage.sql.api.decisions import add_decision
from kilonova_operator.storage.sql.api.mappings import find_mapping, read_standing


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
    write_mapping(
        session,
        made,
        server=request.server,
        instance_uuid=request.instance_uuid or request.server.uid,
        object_generation=request.object_generation,
        values={
            "cell": CELL0,
            "host": None,
            "placement_generation": generation,
            "attempt": 0,
            "tried_hosts": [],
            "request_id": "",
        },
        now=now,
    )
    if request.decision is not None:
        add_decision(session, request.server.uid, request.decision, now=now)
    session.expire_all()  # the row was read before it was written
    mapping = find_mapping(session, request.server.uid)
    if mapping is None:
        raise MappingNotFound(request.server.uid)
    return mapping
