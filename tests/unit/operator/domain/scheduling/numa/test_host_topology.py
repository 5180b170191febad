"""A host's NUMA cells, from its agent's report and its admin's sets."""

import pytest

from kilonova_api.compute_host_spec import HostCpuSets, ReservedPages
from kilonova_api.host_report import NumaCell
from kilonova_operator.domain.scheduling.numa.cpu_mask import cpus_of, mask_of
from kilonova_operator.domain.scheduling.numa.host_topology import (
    HostTopologyInvalid,
    build_host_topology,
)
from kilonova_operator.domain.scheduling.numa.topology import HostCell, PagePool

_CELLS = [
    NumaCell.model_validate(cell)
    for cell in (
        {"id": 1, "cpus": "2-3,6-7", "siblings": ["3,7", "2,6"], "memoryMiB": 2048},
        {
            "id": 0,
            "cpus": "0-1,4-5",
            "siblings": ["0,4"],
            "memoryMiB": 1024,
            "pagePools": [{"size": "4Ki", "total": 1000}, {"size": "2Mi", "total": 9}],
        },
    )
]


def _cells(
    *, dedicated: str | None = None, shared: str | None = None
) -> list[HostCell]:
    sets = HostCpuSets(dedicated_set=dedicated, shared_set=shared)
    topology = build_host_topology(_CELLS, sets)
    assert topology is not None
    return list(topology.cells)


@pytest.mark.parametrize(
    ("dedicated", "shared", "shared_cpus", "dedicated_cpus"),
    [
        pytest.param(None, None, [0, 1, 4, 5], [0, 1, 4, 5], id="neither: both"),
        pytest.param("0-3", None, [], [0, 1], id="dedicated alone: nothing shared"),
        pytest.param(None, "1-9", [1, 4, 5], [], id="shared alone: nothing dedicated"),
        pytest.param("0,4", "1", [1], [0, 4], id="both"),
    ],
)
def test_cpus_are_shared_or_dedicated_by_the_sets(
    dedicated: str | None,
    shared: str | None,
    shared_cpus: list[int],
    dedicated_cpus: list[int],
) -> None:
    cell = _cells(dedicated=dedicated, shared=shared)[0]
    assert list(cpus_of(cell.shared)) == shared_cpus
    assert list(cpus_of(cell.dedicated)) == dedicated_cpus


def test_cells_and_cores_come_by_their_lowest_number() -> None:
    first, second = _cells()
    assert (first.number, first.memory_mib) == (0, 1024)
    assert first.cores == (mask_of([0, 4]), mask_of([1]), mask_of([5]))
    assert second.cores == (mask_of([2, 6]), mask_of([3, 7]))


def test_cpus_of_neither_set_are_on_no_core() -> None:
    first, second = _cells(dedicated="2,6-7", shared="5")
    assert first.cores == (mask_of([5]),)
    assert second.cores == (mask_of([2, 6]), mask_of([7]))


def test_reserved_pages_are_taken_from_their_own_pool() -> None:
    reserved = [
        ReservedPages(node=0, size="2Mi", count=4),
        ReservedPages(node=1, size="4Ki", count=7),
        ReservedPages(node=0, size="4Ki", count=5000),
    ]
    topology = build_host_topology(_CELLS, HostCpuSets(), reserved)
    assert topology is not None
    assert topology.cells[0].pages == (PagePool(4, 1000, 1000), PagePool(2048, 9, 4))
    assert topology.cells[1].pages == ()


def test_a_host_that_tells_of_no_cells_has_no_topology() -> None:
    assert build_host_topology([], HostCpuSets()) is None


def test_a_set_that_cannot_be_read_is_told_by_its_field() -> None:
    with pytest.raises(HostTopologyInvalid, match=r"spec\.cpus\.dedicatedSet: \"9-1\""):
        _cells(dedicated="9-1")
