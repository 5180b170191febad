"""Not the hosts that already failed; only the one an admin names."""

from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.interfaces import Verdict
from kilonova_operator.domain.scheduling.request import BuildRequest


class NotIgnored:
    """Leave out hosts on which this build already failed.

    Source: nova.scheduler.host_manager.get_filtered_hosts, ignore_hosts, Nova 34.
    """

    name = "AlreadyTried"

    def judge(self, columns: HostColumns, request: BuildRequest) -> Verdict | None:
        """Fail the hosts that are to be ignored."""
        if not request.ignored_hosts:
            return None
        return Verdict(columns.find_rows(request.ignored_hosts))

    def explain(self, request: BuildRequest) -> str:
        """Say why, and name no host: tenants read it."""
        del request
        return "The Server's build failed there."


class Forced:
    """Leave out every other host where an admin chose one.

    Source: nova.scheduler.host_manager.get_filtered_hosts, force_hosts, Nova 34.
    """

    name = "NotForcedHost"

    def judge(self, columns: HostColumns, request: BuildRequest) -> Verdict | None:
        """Leave the forced host alone; all where none is forced."""
        if request.forced_host is None:
            return None
        return Verdict(columns.find_rows((request.forced_host,)), only=True)

    def explain(self, request: BuildRequest) -> str:
        """Name the host."""
        return f"Only host {request.forced_host} was asked for."


class Requested:
    """Leave out every other host where an admin asked for one.

    Source: nova.scheduler.host_manager.get_filtered_hosts, requested_destination,
    Nova 34.
    """

    name = "NotRequestedHost"

    def judge(self, columns: HostColumns, request: BuildRequest) -> Verdict | None:
        """Leave the requested host alone; all where none is asked for."""
        if request.requested_host is None:
            return None
        return Verdict(columns.find_rows((request.requested_host,)), only=True)

    def explain(self, request: BuildRequest) -> str:
        """Name the host."""
        return f"Only host {request.requested_host} was asked for."
