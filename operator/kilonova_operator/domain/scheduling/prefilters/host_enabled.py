"""Only hosts whose scheduling is enabled."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import (
    Always,
    FactsAlone,
    NoExtraSpecs,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_DISABLED = "COMPUTE_STATUS_DISABLED"


class HostEnabled(Always, FactsAlone, NoExtraSpecs):
    """Leave out hosts that are held: disabled, changed in identity, or new.

    An admin may set the trait COMPUTE_STATUS_DISABLED to the same end.
    Source: nova.scheduler.request_filter.compute_status_filter, Nova 34.
    """

    name = "HostHeld"

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts that may get new Servers."""
        del asked
        enabled = hosts.by_traits(lambda traits: _DISABLED not in traits)
        return enabled & ~hosts.flag("held")

    def explain(self, request: BuildRequest) -> str:
        """Say where the reason stands."""
        del request
        return "The host takes no new Servers; its Ready condition says why."
