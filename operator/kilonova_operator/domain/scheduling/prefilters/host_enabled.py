"""Only hosts whose scheduling is enabled."""

from kilonova_operator.domain.scheduling.columns import BoolArray, HostColumns
from kilonova_operator.domain.scheduling.interfaces import NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest


class HostEnabled(NoExtraSpecs):
    """Leave out hosts that are held: disabled, changed in identity, or new.

    Source: nova.scheduler.request_filter.compute_status_filter, Nova 34.
    """

    name = "HostHeld"

    def mask(self, hosts: HostColumns, request: BuildRequest) -> BoolArray:
        """Pass hosts that may get new Servers."""
        del request
        return ~hosts.flag("held")

    def explain(self, request: BuildRequest) -> str:
        """Say where the reason stands."""
        del request
        return "The host takes no new Servers; its Ready condition says why."
