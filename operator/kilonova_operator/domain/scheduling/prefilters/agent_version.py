"""Only hosts whose agent understands the order."""

from kilonova_operator.domain.scheduling.columns import BoolArray, HostColumns
from kilonova_operator.domain.scheduling.facts import version_number
from kilonova_operator.domain.scheduling.interfaces import NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest


class AgentVersion(NoExtraSpecs):
    """Leave out hosts whose agent would answer Stalled: AgentTooOld."""

    name = "AgentTooOld"

    def mask(self, hosts: HostColumns, request: BuildRequest) -> BoolArray:
        """Pass hosts with an agent of the wanted version or a newer one."""
        wanted = version_number(request.min_agent_version)
        passes: BoolArray = hosts.number("agent_version") >= wanted
        return passes

    def explain(self, request: BuildRequest) -> str:
        """Say which version is needed."""
        return f"The host's agent is older than {request.min_agent_version}."
