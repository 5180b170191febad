"""Only hosts whose agent understands the order."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.facts import version_number
from kilonova_operator.domain.scheduling.interfaces import (
    Always,
    FactsAlone,
    NoExtraSpecs,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


class AgentVersion(Always, FactsAlone, NoExtraSpecs):
    """Leave out hosts whose agent would answer Stalled: AgentTooOld."""

    name = "AgentTooOld"

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts with an agent of the wanted version or a newer one."""
        wanted = version_number(asked.min_agent_version)
        passes: BoolArray = hosts.number("agent_version") >= wanted
        return passes

    def explain(self, request: BuildRequest) -> str:
        """Say which version is needed."""
        return f"The host's agent is older than {request.asked.min_agent_version}."
