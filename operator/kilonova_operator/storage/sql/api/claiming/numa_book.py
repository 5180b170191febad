"""Places in the NUMA cells of a batch's hosts, decided under their rows. Blocking."""

from collections.abc import Iterable

from sqlalchemy import Connection

from kilonova_operator.domain.placement import ClaimRequest
from kilonova_operator.domain.refusals import NumaUnfit
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement
from kilonova_operator.storage.sql.api.numa_placements import read_placements


class NumaBook:
    """What guests hold of cells, on the hosts of those requests that ask for some.

    It is read after the hosts' generations: a placement that came since then is of
    a newer generation, and the swap fails. So a place that is found here is free
    at the commit, whoever else decides.
    """

    def __init__(
        self, connection: Connection, requests: Iterable[ClaimRequest]
    ) -> None:
        hosts = {request.host for request in requests if request.numa is not None}
        self._held: dict[str, dict[str, NumaPlacement]] = {host: {} for host in hosts}
        for hold in read_placements(connection, hosts):
            name = f"{hold.server_uid}/{hold.placement_generation}"
            self._held[hold.host][name] = hold.placement

    def find_place(self, request: ClaimRequest) -> NumaPlacement | None:
        """Return the place of a guest; None for one that asks for no cells.

        Raises:
            NumaUnfit: the host has none.
        """
        if request.numa is None:
            return None
        place = request.numa.find_place(self._held[request.host])
        if place is None:
            raise NumaUnfit(request.host, request.numa.guest)
        return place

    def take(self, request: ClaimRequest, place: NumaPlacement | None) -> None:
        """Count a place: the next one finds it taken."""
        if place is not None:
            self._held[request.host][request.server.uid] = place
