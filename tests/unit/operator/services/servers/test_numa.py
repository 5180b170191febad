"""Flavors with dedicated CPUs, NUMA nodes and pages, from Server to order and back."""

from collections import Counter
from typing import Any

import pytest

from kilonova_api.admin import ClaimsRequest, HeldCell
from kilonova_api.compute_host import ComputeHost
from kilonova_api.flavor import Flavor
from kilonova_api.guest_numa import CpuPin
from kilonova_api.image import Image
from kilonova_api.instance import Instance
from kilonova_api.instance_spec import InstanceSpec
from kilonova_api.kube.resources import Key
from kilonova_api.server_status import Fault
from kilonova_operator.services.servers.claim_list import ClaimLister
from kilonova_operator.services.witnesses import build_witness
from support.numa_hosts import two_cells
from support.server_lab import ServerLab
from support.servers import flavor_manifest, image_manifest

DEDICATED = {"policy": "Dedicated"}
PINNED = {"vcpus": 4, "cpu": DEDICATED}
SPLIT = {"sharedSet": "0-1,8-9", "dedicatedSet": "2-7,10-15"}


def build_lab(*hosts: str, flavor: dict[str, Any] = PINNED, **cpu: str) -> ServerLab:
    lab = ServerLab(hosts=())
    for host in hosts or ("hv1", "hv2"):
        lab.add_host(host, cells=two_cells(), cpu=cpu or {"dedicatedSet": "0-15"})
    set_flavor(lab, **flavor)
    return lab


def set_flavor(lab: ServerLab, **spec: Any) -> None:
    lab.cluster.put(Flavor.resource(), flavor_manifest(**spec))


def order(lab: ServerLab, key: Key) -> InstanceSpec:
    (found,) = [i for i in lab.instances() if i.spec.server.name == key.name]
    return found.spec


def pinned_cpus(lab: ServerLab) -> Counter[tuple[str, int]]:
    """How many guests each CPU of each host was given to."""
    return Counter(
        (instance.spec.host, pin.host_cpu)
        for instance in lab.instances()
        for cell in (instance.spec.numa.cells if instance.spec.numa else ())
        for pin in cell.pins
    )


async def test_dedicated_cpus_are_claimed_ordered_and_given_back() -> None:
    lab = build_lab("hv1")
    key = lab.create_server()
    await lab.run()
    assert lab.server(key).status.state == "ACTIVE"
    spec = order(lab, key)
    assert spec.numa is not None
    (cell,) = spec.numa.cells
    assert (cell.host_cell, cell.memory_mib, cell.vcpus) == (0, 64, "0-3")
    assert cell.pins == tuple(CpuPin(vcpu=n, host_cpu=n) for n in range(4))
    assert cell.float_on is None
    assert spec.numa.emulator_cpus == "0-3"
    assert spec.cpu_set is None
    (held,) = lab.api.claims.values()
    assert held.amounts["PCPU"] == 4
    assert "VCPU" not in held.amounts
    lab.delete_server(key)
    await lab.run()
    assert lab.api.claims == {}
    assert lab.instances() == []
    await lab.run()
    again = lab.create_server("web-1")
    await lab.run()
    assert order(lab, again).numa == spec.numa


async def test_an_admin_is_told_which_cpus_a_claim_holds() -> None:
    lab = build_lab("hv1")
    lab.create_server()
    await lab.run()
    api: Any = lab.api
    (claim,) = (await ClaimLister(api).answer(ClaimsRequest())).claims
    assert claim.cells == (HeldCell(cell=0, cpus="0-3", memory_mib=64),)


async def test_no_cpu_is_given_twice_and_who_finds_none_waits_for_one() -> None:
    lab = build_lab()
    keys = [lab.create_server(f"web-{n}") for n in range(9)]
    await lab.run()
    given = pinned_cpus(lab)
    assert len(given) == 32
    assert set(given.values()) == {1}
    (left,) = [key for key in keys if lab.server(key).status.host is None]
    scheduling = lab.server(left).status.scheduling
    assert scheduling is not None
    assert sum(stage.hosts_removed for stage in scheduling.stages) == 2
    gone = next(key for key in keys if key != left)
    lab.delete_server(gone)
    await lab.run(seconds=60)
    assert lab.server(left).status.state == "ACTIVE"
    assert set(pinned_cpus(lab).values()) == {1}


async def test_a_guest_that_fits_the_host_but_none_of_its_cells_is_told_so() -> None:
    lab = build_lab("hv1", flavor={"vcpus": 9, "cpu": DEDICATED})
    key = lab.create_server()
    await lab.run()
    status = lab.server(key).status
    assert status.host is None
    assert status.scheduling is not None
    (stage,) = status.scheduling.stages
    assert stage.constraint == "NUMATopologyFilter"
    assert status.scheduling.nearest_miss == (
        "One host lacks 1 dedicated CPU in its NUMA cells."
    )
    told = lab.server(key).status.condition("Ready")
    assert told is not None
    assert "Use a smaller flavor" in told.message


async def test_guests_of_several_nodes_get_a_cell_for_each() -> None:
    lab = build_lab("hv1", flavor={**PINNED, "numa": {"nodes": 2}})
    key = lab.create_server()
    await lab.run()
    spec = order(lab, key)
    assert spec.numa is not None
    assert [cell.host_cell for cell in spec.numa.cells] == [0, 1]
    assert [cell.vcpus for cell in spec.numa.cells] == ["0-1", "2-3"]
    assert spec.numa.emulator_cpus == "0-1,8-9"


async def test_shared_cpus_are_for_guests_without_cells() -> None:
    lab = build_lab("hv1", flavor={"vcpus": 1}, **SPLIT)
    key = lab.create_server()
    await lab.run()
    spec = order(lab, key)
    assert (spec.cpu_set, spec.numa) == ("0-1,8-9", None)
    assert all(held.numa is None for held in lab.api.claims.values())


async def test_an_order_waits_until_its_hosts_cpus_are_known() -> None:
    lab = build_lab("hv1", flavor={"vcpus": 1}, **SPLIT)
    key = lab.create_server()
    (known,) = lab.cluster.all("ComputeHost")
    while not lab.api.claims:
        assert await lab.step(), "nothing to do, and no claim"
    lab.cluster.vanish("ComputeHost", Key("", "hv1"))
    await lab.run(seconds=10)
    assert lab.instances() == []
    lab.cluster.put(ComputeHost.resource(), known)
    await lab.run(seconds=60)
    assert order(lab, key).cpu_set == "0-1,8-9"


async def test_nodes_without_dedicated_cpus_float_on_their_cells_shared_ones() -> None:
    lab = build_lab("hv1", flavor={"vcpus": 4, "numa": {"nodes": 2}}, **SPLIT)
    key = lab.create_server()
    await lab.run()
    numa = order(lab, key).numa
    assert numa is not None
    assert [cell.float_on for cell in numa.cells] == ["0-1", "8-9"]
    assert all(cell.pins == () for cell in numa.cells)
    assert numa.emulator_cpus == "0-1,8-9"


@pytest.mark.parametrize(
    ("policy", "emulator_cpus", "pcpu"),
    [("share", "0-1,8-9", 2), ("isolate", "4", 3), (None, "2-3", 2)],
)
async def test_the_emulator_runs_where_the_flavor_says(
    policy: str | None, emulator_cpus: str, pcpu: int
) -> None:
    specs = {"hw:emulator_threads_policy": policy} if policy else {}
    flavor = {"vcpus": 2, "cpu": DEDICATED, "extraSpecs": specs}
    lab = build_lab("hv1", flavor=flavor, **SPLIT)
    key = lab.create_server()
    await lab.run()
    numa = order(lab, key).numa
    assert numa is not None
    assert numa.emulator_cpus == emulator_cpus
    (held,) = lab.api.claims.values()
    assert held.amounts["PCPU"] == pcpu


async def test_mixed_guests_pin_some_cpus_and_share_the_others() -> None:
    specs = {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0"}
    lab = build_lab("hv1", flavor={"vcpus": 3, "extraSpecs": specs}, **SPLIT)
    key = lab.create_server()
    await lab.run()
    numa = order(lab, key).numa
    assert numa is not None
    (cell,) = numa.cells
    assert [pin.vcpu for pin in cell.pins] == [1, 2]
    assert (cell.vcpus, cell.float_on) == ("0-2", "0-1")
    assert numa.emulator_cpus == "0-3"
    (held,) = lab.api.claims.values()
    assert (held.amounts["PCPU"], held.amounts["VCPU"]) == (2, 1)


async def test_pages_of_the_size_asked_for_are_ordered() -> None:
    lab = build_lab("hv1", flavor={"vcpus": 1, "memory": {"pageSize": "2Mi"}}, **SPLIT)
    key = lab.create_server()
    await lab.run()
    numa = order(lab, key).numa
    assert numa is not None
    assert [cell.page_size_kib for cell in numa.cells] == [2048]


async def test_realtime_cpus_and_locked_memory_go_to_the_agent_in_the_flavor() -> None:
    specs = {
        "hw:cpu_realtime": "yes",
        "hw:cpu_realtime_mask": "^0",
        "hw:mem_page_size": "small",
        "hw:locked_memory": "true",
    }
    lab = build_lab("hv1", flavor={**PINNED, "extraSpecs": specs})
    key = lab.create_server()
    await lab.run()
    spec = order(lab, key)
    assert spec.numa is not None
    assert specs.items() <= spec.flavor.extra_specs.items()


async def test_a_new_process_knows_what_is_taken() -> None:
    lab = build_lab("hv1")
    for number in range(3):
        lab.create_server(f"web-{number}")
    await lab.run()
    lab.restart_operator()
    for number in range(3, 5):
        lab.create_server(f"web-{number}")
    await lab.run()
    assert set(pinned_cpus(lab).values()) == {1}
    assert len(pinned_cpus(lab)) == 16
    assert sum(i.spec.numa is not None for i in lab.instances()) == 4


@pytest.mark.parametrize("kill_after", range(0, 36, 3))
async def test_killed_anywhere_orders_say_what_was_claimed(kill_after: int) -> None:
    lab = build_lab("hv1")
    for number in range(4):
        lab.create_server(f"web-{number}")
    for _ in range(kill_after):
        await lab.step()
    lab.restart_operator()
    await lab.run(seconds=120)
    assert set(pinned_cpus(lab).values()) == {1}
    assert len(pinned_cpus(lab)) == 16, "all four, and no CPU is lost"
    for instance in lab.instances():
        spec = instance.spec
        held = lab.api.claims[spec.server.uid, spec.placement_generation]
        assert build_witness(instance).numa == held.numa


async def test_a_build_that_failed_gives_its_cpus_back_once_it_is_gone() -> None:
    lab = build_lab()
    failing: list[str] = []

    def fault(instance: Instance) -> Fault | None:
        failing[:] = failing or [instance.spec.host]
        if instance.spec.host not in failing:
            return None
        return Fault(reason="GuestRejected", message="no", retryable=True)

    lab.fault = fault
    key = lab.create_server()
    await lab.run(seconds=120)
    assert lab.server(key).status.state == "ACTIVE"
    (held,) = lab.api.claims.values()
    assert held.host not in failing
    assert held.numa is not None


async def test_an_order_given_again_says_the_same() -> None:
    lab = build_lab("hv1", flavor={**PINNED, "numa": {"nodes": 2}}, **SPLIT)
    key = lab.create_server()
    await lab.run()
    before = order(lab, key)
    lab.lose_namespace("hv1")
    lab.restart_operator()
    await lab.run(seconds=120)
    after = order(lab, key)
    assert (after.numa, after.cpu_set) == (before.numa, before.cpu_set)


@pytest.mark.parametrize(
    "flavor",
    [
        {**PINNED, "numa": {"nodes": 2}, "memory": {"pageSize": "2Mi"}},
        {
            "vcpus": 2,
            "cpu": DEDICATED | {"threads": "Prefer", "emulatorThreads": "Isolate"},
        },
        {
            "vcpus": 3,
            "extraSpecs": {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0"},
        },
        {"vcpus": 4, "numa": {"nodes": 2}},
    ],
)
async def test_an_order_is_witness_of_the_whole_place(flavor: dict[str, Any]) -> None:
    lab = build_lab("hv1", flavor=flavor, **SPLIT)
    lab.create_server()
    await lab.run()
    (instance,) = lab.instances()
    (held,) = lab.api.claims.values()
    assert held.numa is not None
    witness = build_witness(instance)
    assert witness.numa == held.numa
    assert dict(witness.amounts) == dict(held.amounts)


async def test_a_forced_host_without_a_place_is_not_taken() -> None:
    lab = build_lab("hv1", "hv2", flavor={**PINNED, "vcpus": 8})
    keys = [
        lab.create_server(f"web-{n}", scheduling={"forcedHost": "hv1"})
        for n in range(3)
    ]
    await lab.run()
    placed = [lab.server(key).status.host for key in keys]
    assert sorted(map(str, placed)) == ["None", "hv1", "hv1"]
    assert set(pinned_cpus(lab).values()) == {1}


async def test_an_image_may_ask_for_dedicated_cpus_and_its_order_is_witness() -> None:
    lab = build_lab("hv1", flavor={"vcpus": 2}, **SPLIT)
    properties = {"hw_cpu_policy": "dedicated", "hw_numa_nodes": "2"}
    lab.cluster.put(Image.resource(), image_manifest(properties=properties))
    lab.create_server()
    await lab.run()
    (instance,) = lab.instances()
    assert instance.spec.numa is not None
    assert [len(cell.pins) for cell in instance.spec.numa.cells] == [1, 1]
    (held,) = lab.api.claims.values()
    assert held.amounts["PCPU"] == 2
    witness = build_witness(instance)
    assert witness.numa == held.numa
    assert dict(witness.amounts) == dict(held.amounts)
