"""NUMATopologyFilter over many hosts; one host is judged as test_judgement tells."""

from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.filters.numa_topology import (
    NUMATopologyFilter,
)
from kilonova_operator.domain.scheduling.numa.cpu_mask import first_cpus
from kilonova_operator.domain.scheduling.numa.guest import GuestCell, GuestTopology
from kilonova_operator.domain.scheduling.numa.topology import (
    HostCell,
    HostTopology,
    NumaState,
    build_empty_state,
)
from support.judging import passing
from support.numa import pinned_guest
from support.scheduling import SMALL, equal_hosts, made_request

FOUR_CPUS = first_cpus(4)


def cells_of(memory_mib: int) -> NumaState:
    cell = HostCell(
        number=0,
        memory_mib=memory_mib,
        shared=FOUR_CPUS,
        dedicated=FOUR_CPUS,
        cores=tuple(1 << cpu for cpu in range(4)),
    )
    return build_empty_state(HostTopology((cell,)))


def hosts() -> HostColumns:
    columns = equal_hosts(4)
    columns.set_numa("hv0", cells_of(4096))
    columns.set_numa("hv1", cells_of(1024))
    columns.set_numa("hv2", cells_of(4096))
    return columns


PINNED = made_request(
    numa=GuestTopology((GuestCell(2048, dedicated=first_cpus(2)),), "dedicated")
)


def test_a_guest_needs_hosts_whose_cells_have_room() -> None:
    rule = NUMATopologyFilter()
    assert passing(rule, hosts(), PINNED) == ["hv0", "hv2"]
    assert passing(rule, hosts(), SMALL) == ["hv0", "hv1", "hv2", "hv3"]


def test_its_keys_are_understood_and_no_others() -> None:
    rule = NUMATopologyFilter()
    assert rule.understands("hw:cpu_policy")
    assert rule.understands("hw:numa_mem.1")
    assert not rule.understands("hw:sound_model")


def test_it_says_which_cells_are_asked_for() -> None:
    request = made_request(numa=pinned_guest(2, 2, page_wish=2048))
    assert NUMATopologyFilter().explain(request) == (
        "The guest needs 2 NUMA cells, each with 2 dedicated CPUs and 512 MiB in "
        "pages of 2 MiB."
    )
