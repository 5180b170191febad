"""Where a guest's CPUs go, in the words of its order."""

import pytest

from kilonova_api.compute_host import ComputeHost
from kilonova_operator.domain.servers.guest_cpus import build_guest_cpus
from support.numa import made_numa_claim, pinned_guest
from support.numa_hosts import made_compute_host


@pytest.mark.parametrize(
    ("host", "cpu_set"),
    [
        (None, None),
        (made_compute_host(dedicatedSet="0-15"), None),
        (made_compute_host(sharedSet="0-3"), "0-3"),
        (made_compute_host(sharedSet="0-9,^1"), "0,2-9"),
        (made_compute_host(sharedSet="12-40"), "12-15"),
        (made_compute_host(sharedSet="3-1"), None),
    ],
)
def test_a_guest_without_cells_runs_on_the_shared_cpus_that_are_there(
    host: ComputeHost | None, cpu_set: str | None
) -> None:
    cpus = build_guest_cpus(None, host)
    assert (cpus.cpu_set, cpus.numa) == (cpu_set, None)


def test_a_pinned_guest_is_ordered_as_claimed_though_its_host_is_unknown() -> None:
    place = made_numa_claim(pinned_guest(2, 2)).find_place({})
    numa = build_guest_cpus(place, None).numa
    assert numa is not None
    assert [[pin.host_cpu for pin in cell.pins] for cell in numa.cells] == [
        [0, 1],
        [8, 9],
    ]
    assert numa.emulator_cpus == "0-1,8-9"
