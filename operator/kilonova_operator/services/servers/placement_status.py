"""What super writes into ``Server.status``, and whom it tells."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.kube.errors import NotFound
from kilonova_api.kube.resources import Key
from kilonova_api.server import Server
from kilonova_api.server_status import SchedulingRecord
from kilonova_operator.domain.placement import Claim
from kilonova_operator.domain.servers.instance_spec import (
    GivenPlace,
    GivenPort,
    build_flavor_snapshot,
)
from kilonova_operator.domain.servers.placed import build_placed
from kilonova_operator.domain.servers.references import References
from kilonova_operator.domain.servers.server_status import StatusWrite
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.servers.hosts import HostDirectory
from kilonova_operator.storage.kubernetes.statuses import StatusWriter


@dataclass(frozen=True, slots=True)
class PlacementStatus:
    """Status writes of super."""

    writer: StatusWriter
    hosts: HostDirectory
    feeds: Feeds
    now: Callable[[], datetime]

    async def write(self, server: Server, wanted: StatusWrite) -> None:
        """Write a status; a Server that is gone needs none."""
        try:
            await self.writer.write(server, wanted.status, fields=wanted.fields)
        except NotFound:
            return

    async def show_claim(
        self,
        server: Server,
        claim: Claim,
        found: References,
        record: SchedulingRecord | None,
    ) -> None:
        """Show a placement, then hand the Server to its cell."""
        place = build_place(claim, self.hosts.zone(claim.host))
        flavor = (
            build_flavor_snapshot(found.flavor.spec)
            if found.flavor
            else server.status.flavor
        )
        wanted = build_placed(
            server,
            place,
            flavor,
            scheduling=record or server.status.scheduling,
            now=self.now(),
        )
        await self.write(server, wanted)
        self.hand_over(server, claim.cell)

    def hand_over(self, server: Server, cell: str) -> None:
        """Wake the cell: its own watch would tell it a moment later."""
        key = Key.of(server.metadata.namespace, server.metadata.name)
        self.feeds.publish_to(Feed(FeedKind.SERVERS, cell), key)


def build_place(claim: Claim, zone: str | None) -> GivenPlace:
    """Return a claim as builders take it."""
    return GivenPlace(
        instance_uuid=claim.instance_uuid,
        cell=claim.cell,
        host=claim.host,
        zone=zone,
        placement_generation=claim.placement_generation,
        ports={
            nic.name: GivenPort(
                network_id=nic.network_id, address=nic.address, mac=nic.mac
            )
            for nic in claim.nics
        },
        shared=claim.shared,
    )
