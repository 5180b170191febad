"""Guests whose place is none any more, as their host tells it."""

from typing import Any

from kilonova_api.instance import Instance
from kilonova_operator.domain.hosts.pins import find_pin_conflicts
from support.instances import make_instance
from support.numa_hosts import made_compute_host

FLAVOR = {
    "vcpus": 2,
    "ramMiB": 64,
    "rootGiB": 1,
    "extraSpecs": {"hw:cpu_policy": "dedicated"},
}


def made_guest(name: str, *host_cpus: int, host_cell: int = 0) -> Instance:
    cell = {
        "hostCell": host_cell,
        "memoryMiB": 64,
        "vcpus": "0-1",
        "pins": [{"vcpu": n, "hostCpu": cpu} for n, cpu in enumerate(host_cpus)],
    }
    made: dict[str, Any] = make_instance(host="hv1", name=name)
    made["spec"] |= {
        "server": made["spec"]["server"] | {"name": name},
        "flavor": FLAVOR,
        "numa": {"cells": [cell]},
    }
    return Instance.model_validate(made)


def test_guests_in_their_place_are_not_spoken_of() -> None:
    guests = [made_guest("a", 0, 1), made_guest("b", 2, 3)]
    assert find_pin_conflicts(made_compute_host(), guests) == {}


def test_cpus_that_an_admin_took_away_are_named_with_their_guest() -> None:
    host = made_compute_host(sharedSet="0-1", dedicatedSet="2-15")
    (found,) = find_pin_conflicts(host, [made_guest("a", 1, 2)]).items()
    assert found[0].endswith("/a")
    assert found[1] == "CPU 1 of NUMA cell 0 is not dedicated"


def test_a_cell_that_is_gone_and_a_cpu_of_two_are_told() -> None:
    guests = [
        made_guest("a", 0, 1),
        made_guest("b", 1, 2),
        made_guest("c", host_cell=7),
    ]
    told = find_pin_conflicts(made_compute_host(), guests)
    assert sorted(told.values()) == [
        "CPU 1 of NUMA cell 0 belongs to another guest, too",
        "the host has no NUMA cell 7",
    ]


def test_of_a_host_whose_cells_cannot_be_told_nothing_is_said() -> None:
    host = made_compute_host(dedicatedSet="0-3", sharedSet="3-4")
    assert find_pin_conflicts(host, [made_guest("a", 9, 10)]) == {}
