"""NUMATopologyFilter for one host.

Source: nova.scheduler.filters.numa_topology_filter, Nova 34.
"""

from dataclasses import dataclass

from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits
from kilonova_operator.domain.scheduling.numa.fit import fit_guest
from kilonova_operator.domain.scheduling.numa.guest import GuestTopology, NumaPlacement
from kilonova_operator.domain.scheduling.numa.topology import NumaState


@dataclass(frozen=True, slots=True)
class NumaJudgement:
    """Whether a host passes, and where the guest would go; it may need no place."""

    passes: bool
    placement: NumaPlacement | None = None


_ANYWHERE = NumaJudgement(passes=True)
_NOWHERE = NumaJudgement(passes=False)


def judge_host(
    host: NumaState | None,
    guest: GuestTopology | None,
    *,
    limits: NumaLimits,
    packing: bool = False,
) -> NumaJudgement:
    """Judge a host; one without cells takes only guests that ask for none.

    Depends on nothing but what it is given: equal hosts may share the answer.
    """
    if guest is None:
        return _ANYWHERE
    if host is None or not host.cells:
        return _NOWHERE
    if guest.needs_threads and not host.topology.has_threads:
        return _NOWHERE
    placement = fit_guest(host, guest, limits=limits, packing=packing)
    if placement is None:
        return _NOWHERE
    return NumaJudgement(passes=True, placement=placement)
