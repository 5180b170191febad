"""Not the hosts that already failed; only the one an admin forces."""

import numpy as np

from kilonova_operator.domain.scheduling.columns import BoolArray, HostColumns
from kilonova_operator.domain.scheduling.interfaces import NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest


class NotIgnored(NoExtraSpecs):
    """Leave out hosts on which this build already failed.

    Source: nova.scheduler.host_manager.get_filtered_hosts, ignore_hosts, Nova 34.
    """

    name = "AlreadyTried"

    def mask(self, hosts: HostColumns, request: BuildRequest) -> BoolArray:
        """Pass hosts that are not to be ignored."""
        passes = np.ones(len(hosts), np.bool_)
        for host in request.ignored_hosts:
            row = hosts.find_row(host)
            if row is not None:
                passes[row] = False
        return passes

    def explain(self, request: BuildRequest) -> str:
        """Name the hosts."""
        return f"Already tried: {', '.join(sorted(request.ignored_hosts))}."


class Forced(NoExtraSpecs):
    """Leave out every other host where an admin chose one.

    Source: nova.scheduler.host_manager.get_filtered_hosts, force_hosts, Nova 34.
    """

    name = "NotForcedHost"

    def mask(self, hosts: HostColumns, request: BuildRequest) -> BoolArray:
        """Pass the forced host alone; all where none is forced."""
        if request.forced_host is None:
            return np.ones(len(hosts), np.bool_)
        passes = np.zeros(len(hosts), np.bool_)
        row = hosts.find_row(request.forced_host)
        if row is not None:
            passes[row] = True
        return passes

    def explain(self, request: BuildRequest) -> str:
        """Name the host."""
        return f"Only host {request.forced_host} was asked for."
