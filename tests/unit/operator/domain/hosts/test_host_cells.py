"""Which pages of a host's cells guests never get."""

import pytest

from kilonova_api.compute_host import PodPages
from kilonova_api.compute_host_spec import HostCpuSets, ReservedPages
from kilonova_api.host_report import NumaCell, PagePool
from kilonova_operator.domain.hosts.host_cells import reserve_pages
from kilonova_operator.domain.scheduling.numa.host_topology import build_host_topology

POOL = PagePool(size="1Gi", total=8)
CELLS = tuple(
    NumaCell(id=number, cpus=cpus, memory_mib=16384, page_pools=(POOL,))
    for number, cpus in enumerate(("0-3", "4-7"))
)


def kept(reserved: dict[int, int], of_pods: int) -> list[int]:
    """Return how many pages of 1 GiB each cell keeps from guests."""
    own = [ReservedPages(node=n, size="1Gi", count=c) for n, c in reserved.items()]
    pods = [PodPages(size="1Gi", count=of_pods)] if of_pods else []
    pages = reserve_pages(CELLS, own, pods)
    topology = build_host_topology(CELLS, HostCpuSets(), pages)
    assert topology is not None
    return [cell.pages[0].reserved for cell in topology.cells]


@pytest.mark.parametrize(
    ("reserved", "of_pods", "expected"),
    [
        pytest.param({}, 0, [0, 0], id="nobody asks"),
        pytest.param({}, 3, [3, 3], id="Pods: off every cell"),
        pytest.param({0: 4}, 3, [4, 0], id="enough is reserved for them"),
        pytest.param({0: 1, 1: 1}, 3, [2, 2], id="one is not"),
        pytest.param({}, 99, [8, 8], id="no more than there are"),
    ],
)
def test_pages_of_pods_are_kept_from_guests(
    reserved: dict[int, int], of_pods: int, expected: list[int]
) -> None:
    assert kept(reserved, of_pods) == expected


def test_pages_of_another_size_are_let_alone() -> None:
    pages = reserve_pages(CELLS, (), [PodPages(size="2Mi", count=5)])
    assert {page.size for page in pages} == {"2Mi"}
