"""Only hosts that have a cell and have reported what they have."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import (
    Always,
    FactsAlone,
    NoExtraSpecs,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


class HostMapped(Always, FactsAlone, NoExtraSpecs):
    """Leave out unmapped hosts, where Nova would choose them and then fail.

    Source of the failure avoided: HostMappingNotFound in
    nova.conductor.manager.schedule_and_build_instances, Nova 34.
    """

    name = "HostUnmapped"

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts with a cell and an inventory."""
        del asked
        return hosts.mapped

    def explain(self, request: BuildRequest) -> str:
        """Say what is missing."""
        del request
        return "The host has no cell yet, or has not reported what it has."
