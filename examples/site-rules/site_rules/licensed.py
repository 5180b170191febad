"""A filter: flavors that need a licence run on hosts that have one."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

KEY = "license:needed"
TRAIT = "CUSTOM_LICENSED"


class LicensedHostsFilter(FactsAlone):
    """Pass hosts with the trait where the flavor says ``license:needed: yes``."""

    name = "LicensedHostsFilter"
    runs_on_rebuild = False

    def __init__(self, options: SchedulingOptions) -> None:
        del options

    def understands(self, extra_spec: str) -> bool:
        """Claim the key, so that flavors may use it."""
        return extra_spec == KEY

    def applies(self, asked: RequestClass) -> bool:
        """Look only where a licence is needed."""
        return asked.find_extra_spec(KEY) == "yes"

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass licensed hosts: each set of traits is judged once."""
        if not self.applies(asked):
            return hosts.pass_all()
        return hosts.by_traits(lambda traits: TRAIT in traits)

    def explain(self, request: BuildRequest) -> str:
        """Say what is missing; tenants read it."""
        del request
        return "The flavor needs a host with a licence."
