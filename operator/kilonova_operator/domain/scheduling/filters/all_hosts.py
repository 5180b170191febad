"""AllHostsFilter: every host passes."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone, NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


class AllHostsFilter(FactsAlone, NoExtraSpecs):
    """Pass every host. Source: nova.scheduler.filters.all_hosts_filter, Nova 34."""

    name = "AllHostsFilter"
    runs_on_rebuild = False

    def applies(self, asked: RequestClass) -> bool:
        """Tell that no host can fail."""
        del asked
        return False

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass every host."""
        del asked
        return hosts.pass_all()

    def explain(self, request: BuildRequest) -> str:
        """Say that nothing is asked for."""
        del request
        return "Every host passes."
