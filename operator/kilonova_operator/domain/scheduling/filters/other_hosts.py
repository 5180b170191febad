"""SameHostFilter and DifferentHostFilter: with or without certain other Servers."""

from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.interfaces import Verdict
from kilonova_operator.domain.scheduling.request import BuildRequest


class SameHostFilter:
    """Pass hosts of the Servers that the hint same_host names; any of them.

    Source: nova.scheduler.filters.affinity_filter, Nova 34.
    """

    name = "SameHostFilter"
    runs_on_rebuild = False

    def judge(self, columns: HostColumns, request: BuildRequest) -> Verdict | None:
        """Leave in those hosts alone."""
        if request.same_hosts is None:
            return None
        return Verdict(columns.find_rows(request.same_hosts), only=True)

    def explain(self, request: BuildRequest) -> str:
        """Say which hosts are left."""
        if not request.same_hosts:
            return "None of the Servers that sameHost names has a host."
        return "Only hosts of the Servers that sameHost names may be used."


class DifferentHostFilter:
    """Pass hosts without any of the Servers that the hint different_host names.

    Source: nova.scheduler.filters.affinity_filter, Nova 34.
    """

    name = "DifferentHostFilter"
    runs_on_rebuild = False

    def judge(self, columns: HostColumns, request: BuildRequest) -> Verdict | None:
        """Leave out those hosts."""
        if not request.different_hosts:
            return None
        return Verdict(columns.find_rows(request.different_hosts))

    def explain(self, request: BuildRequest) -> str:
        """Say what the host has."""
        del request
        return "The host runs a Server that differentHost names."
