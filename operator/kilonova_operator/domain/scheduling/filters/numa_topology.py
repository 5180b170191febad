"""NUMATopologyFilter: room in a host's NUMA cells, for pinned CPUs and pages."""

from collections.abc import Callable

import numpy as np

from kilonova_operator.domain.inventory import MEMORY_MB, VCPU
from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone
from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits
from kilonova_operator.domain.scheduling.numa.constraints import is_numa_extra_spec
from kilonova_operator.domain.scheduling.numa.describe import describe_guest
from kilonova_operator.domain.scheduling.numa.guest import GuestTopology
from kilonova_operator.domain.scheduling.numa.judgement import host_passes
from kilonova_operator.domain.scheduling.numa.topology import NumaState
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows


class NUMATopologyFilter(FactsAlone):
    """Pass hosts on whose NUMA cells the guest's find a place.

    What guests use of the cells is part of a host's facts: of their state, hosts
    that are alike are judged once.
    Source: nova.scheduler.filters.numa_topology_filter, Nova 34.
    """

    name = "NUMATopologyFilter"
    runs_on_rebuild = False

    def understands(self, extra_spec: str) -> bool:
        """Claim what is said of CPUs, NUMA nodes and pages."""
        return is_numa_extra_spec(extra_spec)

    def applies(self, asked: RequestClass) -> bool:
        """Look only where a guest asks for cells."""
        return asked.numa is not None

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts with a place, by the ratios of each."""
        if asked.numa is None:
            return hosts.pass_all()
        ratios = np.stack((hosts.ratio(VCPU), hosts.ratio(MEMORY_MB)))
        passes = np.zeros(len(hosts), np.bool_)
        for cpu_ratio, ram_ratio in np.unique(ratios, axis=1).T.tolist():
            limits = NumaLimits(cpu_ratio, ram_ratio)
            alike = (ratios[0] == cpu_ratio) & (ratios[1] == ram_ratio)
            rows = np.flatnonzero(alike)
            passes[rows] = hosts.some(rows).by_numa(_judging(asked.numa, limits))
        return passes

    def explain(self, request: BuildRequest) -> str:
        """Say what cells are asked for."""
        guest = request.asked.numa
        if guest is None:
            return "The guest asks for no NUMA cells."
        return f"The guest needs {describe_guest(guest)}."


def _judging(
    guest: GuestTopology, limits: NumaLimits
) -> Callable[[NumaState | None], bool]:
    return lambda state: host_passes(state, guest, limits)
