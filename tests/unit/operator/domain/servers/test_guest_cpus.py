"""Where a guest's CPUs go, in the words of its order."""

import pytest

from kilonova_api.compute_host import ComputeHost, ComputeHostStatus
from kilonova_api.compute_host_spec import ComputeHostSpec
from kilonova_operator.domain.servers.guest_cpus import build_guest_cpus, tells_cpus
from support.numa import made_numa_claim, pinned_guest
from support.numa_hosts import made_compute_host


@pytest.mark.parametrize(
    ("host", "cpu_set"),
    [
        (made_compute_host(dedicatedSet="0-15"), None),
        (made_compute_host(sharedSet="0-3"), "0-3"),
        (made_compute_host(sharedSet="0-9,^1"), "0,2-9"),
        (made_compute_host(sharedSet="12-40"), "12-15"),
        (made_compute_host(sharedSet="3-1"), None),
    ],
)
def test_a_guest_without_cells_runs_on_the_shared_cpus_that_are_there(
    host: ComputeHost, cpu_set: str | None
) -> None:
    cpus = build_guest_cpus(None, host)
    assert (cpus.cpu_set, cpus.numa) == (cpu_set, None)


def test_a_host_made_anew_tells_nothing_of_its_cpus() -> None:
    place = made_numa_claim(pinned_guest(2, 2)).find_place({})
    told = made_compute_host(sharedSet="0-3")
    anew = told.model_copy(update={"status": ComputeHostStatus()})
    whole = anew.model_copy(update={"spec": ComputeHostSpec()})
    assert tells_cpus(told, place)
    assert not tells_cpus(anew, None)
    assert not tells_cpus(whole, place)
    assert tells_cpus(whole, None)


def test_a_pinned_guest_is_ordered_as_claimed() -> None:
    place = made_numa_claim(pinned_guest(2, 2)).find_place({})
    numa = build_guest_cpus(place, made_compute_host(dedicatedSet="0-15")).numa
    assert numa is not None
    assert [[pin.host_cpu for pin in cell.pins] for cell in numa.cells] == [
        [0, 1],
        [8, 9],
    ]
    assert numa.emulator_cpus == "0-1,8-9"
