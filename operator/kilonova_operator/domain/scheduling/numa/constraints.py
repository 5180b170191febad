"""What a flavor and an image ask of a host's NUMA cells.

Source: nova.virt.hardware.numa_get_constraints, Nova 34.
"""

import re

from kilonova_operator.domain.scheduling.numa.guest import GuestCell, GuestTopology
from kilonova_operator.domain.scheduling.numa.guest_cells import (
    build_guest_cells,
    find_node_count,
    read_image_cells,
)
from kilonova_operator.domain.scheduling.numa.page_wish import (
    check_locked_memory,
    find_page_wish,
)
from kilonova_operator.domain.scheduling.numa.policies import needs_threads
from kilonova_operator.domain.scheduling.numa.request import (
    NumaRequest,
    NumaRequestInvalid,
    spec_key,
)
from kilonova_operator.domain.scheduling.numa.vcpu_kinds import find_vcpu_kinds

_EXTRA_SPEC = re.compile(
    r"hw:(cpu_policy|cpu_thread_policy|cpu_dedicated_mask|cpu_realtime"
    r"|cpu_realtime_mask|emulator_threads_policy|locked_memory|mem_page_size"
    r"|numa_nodes|numa_(cpus|mem)\.\d+)"
)
_IMAGE_PROPERTY = re.compile(
    r"hw_(cpu_policy|cpu_thread_policy|cpu_realtime_mask|locked_memory|mem_page_size"
    r"|numa_nodes|numa_(cpus|mem)\.\d+)"
)


def is_numa_extra_spec(key: str) -> bool:
    """Tell whether this package gives an extra spec its meaning."""
    return _EXTRA_SPEC.fullmatch(key) is not None


def is_numa_property(key: str) -> bool:
    """Tell whether this package gives an image's property its meaning."""
    return _IMAGE_PROPERTY.fullmatch(key) is not None


def find_guest_topology(request: NumaRequest) -> GuestTopology | None:
    """Return what a guest asks of NUMA cells; None if any CPU and memory will do.

    Asked for by nodes, dedicated CPUs, or a size of pages.

    Raises:
        NumaRequestInvalid: with the key that is bad, and why.
    """
    image = read_image_cells(request)
    kinds = find_vcpu_kinds(request)
    nodes = find_node_count(request, image)
    page_wish = find_page_wish(request)
    check_locked_memory(request)
    if not (nodes or page_wish or kinds.cpu_policy in ("dedicated", "mixed")):
        return None
    cells = build_guest_cells(
        request, nodes=nodes or 1, dedicated=kinds.dedicated, image=image
    )
    if kinds.dedicated:
        _check_nodes_have_cpus(cells)
    return GuestTopology(
        cells=cells,
        cpu_policy=kinds.cpu_policy,
        thread_policy=kinds.thread_policy,
        emulator_policy=kinds.emulator_policy,
        page_wish=page_wish,
        needs_threads=needs_threads(request),
    )


def _check_nodes_have_cpus(cells: tuple[GuestCell, ...]) -> None:
    for number, cell in enumerate(cells):
        if not cell.shared | cell.dedicated:
            raise NumaRequestInvalid(
                spec_key(f"numa_cpus.{number}"),
                "a guest with dedicated CPUs needs CPUs in each of its nodes",
            )
