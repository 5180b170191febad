"""The sockets, cores and threads that a guest sees."""

import pytest

from kilonova_agent.domain.cpu_topology import choose_topology
from kilonova_agent.domain.faults import MachineImpossible
from kilonova_agent.domain.tuning import CpuTopology


@pytest.mark.parametrize(
    ("vcpus", "flavor", "image", "chosen"),
    [
        (4, {}, {}, (4, 1, 1)),
        (4, {"hw:cpu_threads": "2"}, {}, (2, 1, 2)),
        (4, {"hw:cpu_cores": "2"}, {}, (2, 2, 1)),
        (8, {"hw:cpu_sockets": "2", "hw:cpu_threads": "2"}, {}, (2, 2, 2)),
        (4, {"hw:cpu_cores": "3"}, {}, (4, 1, 1)),
        (8, {"hw:cpu_max_sockets": "2"}, {}, (2, 4, 1)),
        (4, {"hw:cpu_threads": "2"}, {"hw_cpu_sockets": "1"}, (1, 4, 1)),
        (
            4,
            {"hw:cpu_threads": "2"},
            {"hw_cpu_max_threads": "1", "hw_cpu_max_sockets": "2"},
            (2, 2, 1),
        ),
    ],
)
def test_the_nearest_topology_is_chosen_with_few_threads_and_many_sockets(
    vcpus: int, flavor: dict[str, str], image: dict[str, str], chosen: tuple[int, ...]
) -> None:
    assert choose_topology(vcpus, flavor, image) == CpuTopology(*chosen)


@pytest.mark.parametrize(
    ("flavor", "image", "told"),
    [
        (
            {"hw:cpu_max_sockets": "1", "hw:cpu_max_cores": "3"},
            {"hw_cpu_max_threads": "1"},
            "4 processors cannot be made of at most 1 sockets, 3 cores, 1 threads",
        ),
        (
            {"hw:cpu_max_sockets": "1"},
            {"hw_cpu_max_sockets": "2"},
            "may only lower",
        ),
        ({"hw:cpu_max_cores": "1"}, {"hw_cpu_cores": "2"}, "asks for 2 cores"),
        ({"hw:cpu_cores": "many"}, {}, 'hw:cpu_cores is "many"'),
    ],
)
def test_what_cannot_be_is_told(
    flavor: dict[str, str], image: dict[str, str], told: str
) -> None:
    with pytest.raises(MachineImpossible, match=told):
        choose_topology(4, flavor, image)
