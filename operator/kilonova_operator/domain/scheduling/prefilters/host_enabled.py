"""Only hosts whose scheduling is enabled."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import Always, NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


class HostEnabled(Always, NoExtraSpecs):
    """Leave out hosts that are held: disabled, changed in identity, or new.

    Source: nova.scheduler.request_filter.compute_status_filter, Nova 34.
    """

    name = "HostHeld"

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts that may get new Servers."""
        del asked
        return ~hosts.flag("held")

    def explain(self, request: BuildRequest) -> str:
        """Say where the reason stands."""
        del request
        return "The host takes no new Servers; its Ready condition says why."
