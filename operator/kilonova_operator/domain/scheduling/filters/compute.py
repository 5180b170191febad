"""ComputeFilter: the host's service is enabled and alive."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import (
    Always,
    FactsAlone,
    NoExtraSpecs,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


class ComputeFilter(Always, FactsAlone, NoExtraSpecs):
    """Pass hosts that are up and not held.

    Source: nova.scheduler.filters.compute_filter, Nova 34.
    """

    name = "ComputeFilter"
    runs_on_rebuild = False

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts whose heartbeat is heard."""
        del asked
        return hosts.flag("up") & ~hosts.flag("held")

    def explain(self, request: BuildRequest) -> str:
        """Say what is wrong with the host."""
        del request
        return "The host's agent is not heard."
