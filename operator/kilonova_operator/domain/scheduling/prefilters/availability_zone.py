"""Only hosts of the availability zone that is asked for."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone, NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


class AvailabilityZone(FactsAlone, NoExtraSpecs):
    """Leave out hosts of other zones; a zone that does not exist has no hosts.

    A meant deviation: Nova lets a zone that no aggregate names, "nova" as well,
    pass without any restriction.
    Source: nova.scheduler.request_filter.map_az_to_placement_aggregate, Nova 34.
    """

    name = "AvailabilityZone"

    def applies(self, asked: RequestClass) -> bool:
        """Look only where a zone is asked for."""
        return bool(asked.zone)

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts of the zone."""
        if not asked.zone:
            return hosts.pass_all()
        return hosts.by_zone(lambda zone: zone == asked.zone)

    def explain(self, request: BuildRequest) -> str:
        """Name the zone."""
        return f"Only hosts of availability zone {request.asked.zone} may be used."
