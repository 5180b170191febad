"""The filters of hard group policies: together, or apart."""

from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.group_domains import (
    count_members,
    find_rows_of_members,
)
from kilonova_operator.domain.scheduling.interfaces import Verdict
from kilonova_operator.domain.scheduling.request import BuildRequest, GroupView


class ServerGroupAntiAffinityFilter:
    """Pass hosts, or zones, with fewer members than the group allows in each.

    Source: nova.scheduler.filters.affinity_filter, Nova 34; zones are our own.
    """

    name = "ServerGroupAntiAffinityFilter"
    runs_on_rebuild = False

    def judge(self, columns: HostColumns, request: BuildRequest) -> Verdict | None:
        """Leave out what is full."""
        group = request.group
        if group is None or group.policy != "AntiAffinity":
            return None
        full = count_members(columns, group) >= group.max_per_domain
        return Verdict(full.nonzero()[0])

    def explain(self, request: BuildRequest) -> str:
        """Say how many members a domain may have."""
        group = request.group
        most = 1 if group is None else group.max_per_domain
        return f"The {_domain(group)} holds {most} of the ServerGroup already."


class ServerGroupAffinityFilter:
    """Pass hosts, or zones, that hold members; all while the group has none.

    Source: nova.scheduler.filters.affinity_filter, Nova 34; zones are our own.
    """

    name = "ServerGroupAffinityFilter"
    runs_on_rebuild = False

    def judge(self, columns: HostColumns, request: BuildRequest) -> Verdict | None:
        """Leave in what holds members."""
        group = request.group
        if group is None or group.policy != "Affinity":
            return None
        if not any(group.members.values()):
            return None
        return Verdict(find_rows_of_members(columns, group), only=True)

    def explain(self, request: BuildRequest) -> str:
        """Say where the members are."""
        return f"The ServerGroup's members are on another {_domain(request.group)}."


def _domain(group: GroupView | None) -> str:
    return "zone" if group is not None and group.by_zone else "host"
