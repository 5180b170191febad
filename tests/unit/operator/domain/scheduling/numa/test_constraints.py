"""What flavor and image ask of NUMA cells."""

import pytest

from kilonova_operator.domain.scheduling.numa.constraints import (
    find_guest_topology,
    is_numa_extra_spec,
)
from kilonova_operator.domain.scheduling.numa.cpu_mask import mask_of
from kilonova_operator.domain.scheduling.numa.guest import GuestCell, GuestTopology
from kilonova_operator.domain.scheduling.numa.policies import find_cpu_policy
from kilonova_operator.domain.scheduling.numa.request import (
    NumaRequest,
    NumaRequestInvalid,
)
from support.numa import made_request


def _found(request: NumaRequest) -> GuestTopology:
    guest = find_guest_topology(request)
    assert guest is not None
    return guest


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(made_request(), id="no words"),
        pytest.param(made_request(cpu_policy="shared"), id="shared CPUs"),
        pytest.param(made_request(numa_cpus_0="x"), id="nodes that nobody asks for"),
        pytest.param(made_request(mem_page_size="0"), id="pages of no size"),
    ],
)
def test_nothing_is_asked_of_cells_without_nodes_pins_or_pages(
    request_: NumaRequest,
) -> None:
    assert find_guest_topology(request_) is None


def test_nodes_split_cpus_and_memory_evenly() -> None:
    guest = _found(made_request(4, 2048, numa_nodes="2"))
    assert guest.cells == (
        GuestCell(1024, shared=mask_of([0, 1])),
        GuestCell(1024, shared=mask_of([2, 3])),
    )


def test_nodes_may_be_uneven_if_each_says_its_part() -> None:
    guest = _found(
        made_request(
            4,
            2048,
            numa_nodes="2",
            numa_cpus_0="0,2-3",
            numa_mem_0="1536",
            numa_cpus_1="1",
            numa_mem_1="512",
        )
    )
    assert guest.cells == (
        GuestCell(1536, shared=mask_of([0, 2, 3])),
        GuestCell(512, shared=mask_of([1])),
    )


def test_dedicated_cpus_make_one_node_of_pinned_cpus() -> None:
    guest = _found(made_request(2, cpu_policy="dedicated"))
    assert guest.cells == (GuestCell(2048, dedicated=mask_of([0, 1])),)
    assert guest.is_pinned


def test_a_mask_tells_the_dedicated_cpus_of_a_mixed_guest() -> None:
    guest = _found(made_request(4, cpu_policy="mixed", cpu_dedicated_mask="^0-1"))
    (cell,) = guest.cells
    assert (cell.shared, cell.dedicated) == (mask_of([0, 1]), mask_of([2, 3]))


def test_realtime_cpus_of_a_mixed_guest_are_its_dedicated_ones() -> None:
    guest = _found(
        made_request(4, cpu_policy="mixed", cpu_realtime="yes", cpu_realtime_mask="^0")
    )
    assert guest.cells[0].dedicated == mask_of([1, 2, 3])


def test_all_cpus_may_be_realtime_if_the_emulator_has_a_place() -> None:
    request = made_request(
        cpu_policy="dedicated", cpu_realtime="yes", emulator_threads_policy="share"
    )
    assert _found(request).emulator_policy == "share"


def test_an_images_realtime_mask_counts_before_its_flavors() -> None:
    request = made_request(
        cpu_policy="mixed",
        cpu_realtime="yes",
        cpu_realtime_mask="^0",
        image={"hw_cpu_realtime_mask": "2"},
    )
    assert _found(request).cells[0].dedicated == mask_of([2])


def test_amounts_and_traits_stand_for_policies() -> None:
    specs = {"resources:PCPU": "2", "trait:HW_CPU_HYPERTHREADING": "forbidden"}
    guest = _found(NumaRequest(2, 1024, specs))
    assert (guest.cpu_policy, guest.thread_policy) == ("dedicated", "isolate")


@pytest.mark.parametrize(
    ("flavor", "image", "policy"),
    [
        ("shared", "shared", "shared"),
        ("shared", "mixed", None),
        ("shared", "dedicated", None),
        ("mixed", "shared", "mixed"),
        ("mixed", "mixed", "mixed"),
        ("mixed", "dedicated", None),
        ("dedicated", "shared", "dedicated"),
        ("dedicated", "mixed", "dedicated"),
        ("dedicated", "dedicated", "dedicated"),
    ],
)
def test_an_image_may_not_take_more_of_a_host_than_its_flavor(
    flavor: str, image: str, policy: str | None
) -> None:
    request = made_request(cpu_policy=flavor, image={"hw_cpu_policy": image})
    if policy is None:
        with pytest.raises(NumaRequestInvalid, match="hw_cpu_policy"):
            find_cpu_policy(request)
    else:
        assert find_cpu_policy(request) == policy


def test_an_image_may_choose_what_its_flavor_leaves_open() -> None:
    image = {"hw_cpu_policy": "dedicated", "hw_mem_page_size": "2MB"}
    guest = _found(made_request(mem_page_size="large", image=image))
    assert (guest.cpu_policy, guest.page_wish) == ("dedicated", 2048)


def test_a_host_must_have_threads_if_either_says_require() -> None:
    guest = _found(
        made_request(
            cpu_policy="dedicated",
            cpu_thread_policy="prefer",
            image={"hw_cpu_thread_policy": "require"},
        )
    )
    assert guest.thread_policy == "prefer"
    assert guest.needs_threads


def test_a_mixed_guest_needs_threads_only_for_its_own_policy() -> None:
    guest = _found(
        made_request(
            cpu_policy="mixed",
            cpu_dedicated_mask="0",
            image={"hw_cpu_thread_policy": "require"},
        )
    )
    assert guest.thread_policy == "require"
    assert not guest.needs_threads


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (made_request(numa_nodes="two"), "hw:numa_nodes: 'two' is no whole number"),
        (made_request(numa_nodes="0"), "hw:numa_nodes: '0' is no number from 1"),
        (made_request(3, numa_nodes="2"), "hw:numa_nodes: 3 CPUs and 2048 MiB do not"),
        (made_request(4, 1001, numa_nodes="2"), "hw:numa_nodes: 4 CPUs and 1001 MiB"),
        (
            made_request(numa_nodes="2", image={"hw_numa_nodes": "2"}),
            "hw_numa_nodes: the flavor says hw:numa_nodes already",
        ),
        (made_request(image={"hw_numa_nodes": "x"}), "hw_numa_nodes: 'x' is no whole"),
        (
            made_request(numa_nodes="1", numa_cpus_0="0-3"),
            "hw:numa_nodes: each of the 1 nodes needs its hw:numa_cpus",
        ),
        (
            made_request(numa_nodes="1", numa_cpus_0="0-2", numa_mem_0="2048"),
            "hw:numa_cpus: CPU 3 is in no node",
        ),
        (
            made_request(numa_nodes="1", numa_cpus_0="0-4", numa_mem_0="2048"),
            "hw:numa_cpus.0: CPU 4 is in another node already",
        ),
        (
            made_request(numa_nodes="1", numa_cpus_0="0-3", numa_mem_0="2047"),
            "hw:numa_mem: the nodes have 2047 MiB together, the guest 2048 MiB",
        ),
        (
            made_request(numa_nodes="1", numa_cpus_0="0-3", numa_mem_0="-1"),
            "hw:numa_mem.0: -1 MiB is no memory",
        ),
        (made_request(cpu_policy="pinned"), "hw:cpu_policy: 'pinned' is none of 'sha"),
        (
            made_request(cpu_policy="shared", image={"hw_cpu_policy": "dedicated"}),
            "hw_cpu_policy: 'dedicated' takes more of a host than the flavor's",
        ),
        (
            made_request(
                cpu_policy="dedicated",
                cpu_thread_policy="isolate",
                image={"hw_cpu_thread_policy": "require"},
            ),
            "hw_cpu_thread_policy: 'require' contradicts the flavor's 'isolate'",
        ),
        (
            made_request(cpu_thread_policy="require"),
            "hw:cpu_thread_policy: needs hw:cpu_policy 'dedicated' or 'mixed'",
        ),
        (
            made_request(emulator_threads_policy="isolate"),
            "hw:emulator_threads_policy: needs hw:cpu_policy 'dedicated' or 'mixed'",
        ),
        (
            made_request(cpu_policy="dedicated", cpu_dedicated_mask="0"),
            "hw:cpu_dedicated_mask: only goes with hw:cpu_policy 'mixed'",
        ),
        (
            made_request(cpu_policy="mixed"),
            "hw:cpu_policy: 'mixed' needs hw:cpu_dedicated_mask or hw:cpu_realtime",
        ),
        (
            made_request(cpu_policy="mixed", cpu_dedicated_mask="0-3"),
            "hw:cpu_dedicated_mask: '0-3' must leave dedicated CPUs and shared ones",
        ),
        (
            made_request(cpu_policy="mixed", cpu_dedicated_mask="4"),
            "hw:cpu_dedicated_mask: the guest has 4 CPUs, and no CPU 4",
        ),
        (
            made_request(cpu_policy="dedicated", cpu_realtime="1"),
            "hw:cpu_realtime_mask: must leave some CPUs realtime and others not",
        ),
        (
            made_request(mem_page_size="2M"),
            "hw:mem_page_size: '2M' is neither small, large, any nor a size like",
        ),
        (made_request(mem_page_size="3kib"), "hw:mem_page_size: '3kib' is neither"),
        (made_request(mem_page_size="1.5KB"), "hw:mem_page_size: '1.5KB' is no whole"),
        (
            made_request(mem_page_size="small", image={"hw_mem_page_size": "large"}),
            "hw_mem_page_size: 'large' is only allowed with a flavor that says 'any'",
        ),
        (made_request(locked_memory="yes"), "hw:locked_memory: needs hw:mem_page_size"),
        (
            made_request(
                mem_page_size="small",
                locked_memory="yes",
                image={"hw_locked_memory": "no"},
            ),
            "hw_locked_memory: 'no' contradicts the flavor's 'yes'",
        ),
        (
            NumaRequest(2, 1024, {"resources:PCPU": "3"}),
            "resources:PCPU: is 3, but this guest takes 2",
        ),
        (
            NumaRequest(2, 1024, {"resources:VCPU": "2", "hw:cpu_policy": "shared"}),
            "resources:VCPU: does not go with hw:cpu_policy",
        ),
    ],
)
def test_a_bad_word_is_refused_by_its_key(request_: NumaRequest, message: str) -> None:
    with pytest.raises(NumaRequestInvalid) as refused:
        find_guest_topology(request_)
    assert str(refused.value).startswith(message)


def test_a_pinned_guest_needs_cpus_in_each_node() -> None:
    request = made_request(
        numa_nodes="2",
        numa_cpus_0="0-3",
        numa_mem_0="1024",
        numa_cpus_1="",
        numa_mem_1="1024",
    )
    assert _found(request).cells[1] == GuestCell(1024)
    pinned = NumaRequest(4, 2048, {**request.extra_specs, "hw:cpu_policy": "dedicated"})
    with pytest.raises(NumaRequestInvalid, match=r"hw:numa_cpus\.1: .* needs CPUs"):
        find_guest_topology(pinned)


@pytest.mark.parametrize("size", ["2048", "2MB", "2MiB", "16Mb", "16777216bit"])
def test_a_page_size_can_be_said_in_many_ways(size: str) -> None:
    assert _found(made_request(mem_page_size=size)).page_wish == 2048


def test_only_keys_that_are_read_are_understood() -> None:
    assert all(
        is_numa_extra_spec(key)
        for key in ("hw:cpu_policy", "hw:numa_mem.12", "hw:mem_page_size")
    )
    assert not any(
        is_numa_extra_spec(key) for key in ("hw:numa_mem", "hw:cpu_sockets", "cpu")
    )
