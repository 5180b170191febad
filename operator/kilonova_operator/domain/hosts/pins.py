"""Guests whose place in the host's NUMA cells is none any more."""

from collections.abc import Iterable, Mapping

from kilonova_api.compute_host import ComputeHost
from kilonova_api.instance import Instance
from kilonova_operator.domain.hosts.host_cells import find_cells
from kilonova_operator.domain.scheduling.numa.recount import recount_host
from kilonova_operator.domain.servers.guest_cpus import read_placement


def find_pin_conflicts(
    host: ComputeHost, instances: Iterable[Instance]
) -> Mapping[str, str]:
    """Return what is wrong with guests' places, by the names of their Servers.

    An admin took CPUs out of the dedicated ones, a cell is gone, or two guests were
    given one CPU. Of a host whose cells cannot be told nothing is said here.
    """
    places = {
        f"{instance.spec.server.namespace}/{instance.spec.server.name}": place
        for instance in instances
        if instance.spec.numa is not None
        and (place := read_placement(instance.spec)) is not None
    }
    cells = find_cells(host) if places else None
    return {} if cells is None else recount_host(cells, places).conflicts
