"""SimpleCIDRAffinityFilter: hosts near an address."""

from ipaddress import ip_address, ip_network

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone, NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

DEFAULT_CIDR = "/24"


class MalformedAddress(KilonovaError):
    """A hint names a place in the network that is none."""


class SimpleCIDRAffinityFilter(FactsAlone, NoExtraSpecs):
    """Pass hosts whose own address is in the network asked for.

    Source: nova.scheduler.filters.affinity_filter, Nova 34.
    """

    name = "SimpleCIDRAffinityFilter"
    runs_on_rebuild = False

    def applies(self, asked: RequestClass) -> bool:
        """Look only where a network is asked for."""
        return bool(asked.nearby)

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts in the network; one without an address is nowhere."""
        if not asked.nearby:
            return hosts.pass_all()
        network = ip_network(asked.nearby, strict=False)

        def is_near(address: str) -> bool:
            try:
                return ip_address(address) in network
            except ValueError:
                return False

        return hosts.by_address(is_near)

    def explain(self, request: BuildRequest) -> str:
        """Name the network."""
        return f"Only hosts in {request.asked.nearby} may be used."


def build_nearby(address: str, cidr: str = DEFAULT_CIDR) -> str:
    """Return the network of the hints build_near_host_ip and cidr.

    Raises:
        MalformedAddress: they make no network.
    """
    try:
        return str(ip_network(f"{address}/{cidr.removeprefix('/')}", strict=False))
    except ValueError as error:
        raise MalformedAddress(
            f"the hint build_near_host_ip {address!r} with cidr {cidr!r} is no network "
            f"({error}). Give an address such as 192.0.2.7, and a cidr such as /24."
        ) from error
