"""NUMATopologyFilter for one host.

Source: nova.scheduler.filters.numa_topology_filter, Nova 34.
"""

from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits
from kilonova_operator.domain.scheduling.numa.fit import guest_fits
from kilonova_operator.domain.scheduling.numa.guest import GuestTopology
from kilonova_operator.domain.scheduling.numa.topology import NumaState


def host_passes(
    host: NumaState | None, guest: GuestTopology | None, limits: NumaLimits
) -> bool:
    """Judge a host; one without cells takes only guests that ask for none.

    The answer hangs on nothing but what is given: hosts in the same state, with the
    same limits, share it.
    """
    if guest is None:
        return True
    if host is None or (guest.needs_threads and not host.has_threads):
        return False
    return guest_fits(host, guest, limits=limits)
