"""IsolatedHostsFilter: some images for some hosts."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone, NoExtraSpecs
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


@dataclass(frozen=True, slots=True)
class IsolatedHostsFilter(FactsAlone, NoExtraSpecs):
    """Pass isolated images on isolated hosts, and the others elsewhere.

    ``restrict_isolated_hosts_to_isolated_images`` off: other images may run on
    isolated hosts too. An image is named by its uid.
    Source: nova.scheduler.filters.isolated_hosts_filter, Nova 34.
    """

    isolated_hosts: frozenset[str] = frozenset()
    isolated_images: frozenset[str] = frozenset()
    restrict_isolated_hosts_to_isolated_images: bool = True
    name = "IsolatedHostsFilter"
    runs_on_rebuild = True

    def applies(self, asked: RequestClass) -> bool:
        """Look only where hosts or images are set apart."""
        del asked
        return bool(self.isolated_hosts or self.isolated_images)

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts that are set apart as the image is."""
        isolated = np.fromiter(
            (name in self.isolated_hosts for name in hosts.names), np.bool_, len(hosts)
        )
        if asked.image in self.isolated_images:
            return isolated
        if self.restrict_isolated_hosts_to_isolated_images:
            return ~isolated
        return hosts.pass_all()

    def explain(self, request: BuildRequest) -> str:
        """Say which hosts are left."""
        if request.asked.image in self.isolated_images:
            return "The image may run on the hosts set apart for it only."
        return "The host is set apart for certain images."
