"""What super says of a Server that it just gave a host: its last word."""

from datetime import datetime

from kilonova_api.flavor import FlavorSize
from kilonova_api.server import Server
from kilonova_api.server_status import NicStatus, SchedulingRecord
from kilonova_operator.domain.servers.instance_spec import GivenPlace, network_label
from kilonova_operator.domain.servers.server_status import (
    PLACEMENT_FIELDS,
    StatusWrite,
    Verdict,
    build_status,
)


def build_placed(
    server: Server,
    place: GivenPlace,
    flavor: FlavorSize | None,
    *,
    scheduling: SchedulingRecord | None,
    now: datetime,
) -> StatusWrite:
    """Build the status that hands the Server over to its cell's link.

    It has no Reconciling, task or why: the link could not take them out.
    """
    nics = tuple(
        NicStatus(
            name=nic.name,
            network=network_label(nic),
            address=place.ports[nic.name].address,
            mac=place.ports[nic.name].mac,
        )
        for nic in server.spec.networks
    )
    building = Verdict("Ready", "False", "Building", f"Building on {place.host}.")
    status = build_status(
        server,
        (building,),
        now=now,
        state="BUILD",
        uuid=place.instance_uuid,
        cell=place.cell,
        host=place.host,
        zone=place.zone,
        placement_generation=place.placement_generation,
        flavor=flavor,
        address=nics[0].address if nics else None,
        nics=nics,
        scheduling=scheduling,
    )
    return StatusWrite(status, PLACEMENT_FIELDS)
