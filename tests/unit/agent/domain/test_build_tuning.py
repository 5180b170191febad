"""From an order to the tuning of its guest."""

from typing import Any

import pytest

from kilonova_agent.domain.build_tuning import build_tuning
from kilonova_agent.domain.faults import CpuUnavailable, MachineImpossible
from kilonova_agent.domain.tuning import (
    Cpus,
    CpuShare,
    CpuTopology,
    GuestCell,
    GuestTuning,
    keep_online,
)
from kilonova_api.instance_spec import InstanceSpec
from support.instances import make_instance


def order(
    vcpus: int = 2,
    *,
    extra_specs: dict[str, str] | None = None,
    properties: dict[str, str] | None = None,
    **spec: Any,
) -> InstanceSpec:
    flavor = {"vcpus": vcpus, "ramMiB": 512, "extraSpecs": extra_specs or {}}
    body = make_instance(flavor=flavor, **spec)["spec"]
    body["image"]["properties"] = properties or {}
    return InstanceSpec.model_validate(body)


def cell(vcpus: str = "0-1", memory_mib: int = 512, **fields: Any) -> dict[str, Any]:
    return {"hostCell": 0, "memoryMiB": memory_mib, "vcpus": vcpus, **fields}


def pin(vcpu: int, host_cpu: int) -> dict[str, int]:
    return {"vcpu": vcpu, "hostCpu": host_cpu}


def cpus(*numbers: int) -> Cpus:
    return frozenset(numbers)


def test_a_guest_without_a_place_is_not_tuned() -> None:
    assert build_tuning(order()) == GuestTuning()


def test_a_shared_guest_has_the_hosts_shared_processors() -> None:
    assert build_tuning(order(cpuSet="0-2,5")) == GuestTuning(cpu_set=cpus(0, 1, 2, 5))


def test_a_dedicated_guest_has_a_pin_for_each_processor_and_the_emulator_beside() -> (
    None
):
    numa = {"cells": [cell(pins=[pin(1, 7), pin(0, 6)])]}
    tuning = build_tuning(order(numa=numa, cpuSet="0-3"))
    assert tuning == GuestTuning(
        cells=(GuestCell(0, 512, cpus(0, 1)),),
        pins={0: cpus(6), 1: cpus(7)},
        emulator=cpus(6, 7),
    )
    assert list(tuning.pins) == [0, 1]


def test_a_mixed_guests_others_float() -> None:
    numa = {"cells": [cell(pins=[pin(0, 6)], floatOn="1-3")]}
    tuning = build_tuning(order(numa=numa))
    assert tuning.pins == {0: cpus(6), 1: cpus(1, 2, 3)}
    assert tuning.emulator == cpus(1, 2, 3, 6)


def test_without_a_place_of_the_cell_the_others_float_on_the_cpu_set() -> None:
    tuning = build_tuning(order(numa={"cells": [cell()]}, cpuSet="2-3"))
    assert tuning.pins == {0: cpus(2, 3), 1: cpus(2, 3)}
    assert tuning.cpu_set is None


def test_an_isolated_emulator_has_its_own_processor() -> None:
    numa = {"cells": [cell(pins=[pin(0, 6), pin(1, 7)])], "emulatorCpus": "4"}
    assert build_tuning(order(numa=numa)).emulator == cpus(4)


def test_each_cell_has_its_own_memory_pages_and_host_cell() -> None:
    numa = {
        "cells": [
            cell("0,2", 256, floatOn="0-1", pageSizeKiB=2048),
            cell("1", 256, hostCell=3, floatOn="2-3"),
        ]
    }
    tuning = build_tuning(order(3, numa=numa))
    assert tuning.cells == (
        GuestCell(0, 256, cpus(0, 2), page_size_kib=2048),
        GuestCell(3, 256, cpus(1)),
    )
    assert tuning.pins == {0: cpus(0, 1), 1: cpus(2, 3), 2: cpus(0, 1)}


@pytest.mark.parametrize(
    ("mask", "realtime", "emulator"),
    [
        ("^0", cpus(1, 2), cpus(5)),
        ("0,2", cpus(0, 2), cpus(6)),
        ("^0-1", cpus(2), cpus(5, 6)),
    ],
)
@pytest.mark.parametrize("given", [None, "5-7"])
def test_the_emulator_stays_off_realtime_processors(
    mask: str, realtime: Cpus, emulator: Cpus, given: str | None
) -> None:
    extra_specs = {"hw:cpu_realtime": "yes", "hw:cpu_realtime_mask": mask}
    pins = [pin(n, 5 + n) for n in range(3)]
    numa = {"cells": [cell("0-2", pins=pins)], "emulatorCpus": given}
    tuning = build_tuning(order(3, extra_specs=extra_specs, numa=numa))
    assert (tuning.realtime, tuning.emulator) == (realtime, emulator)


def test_an_emulator_without_a_place_beside_realtime_may_have_one_elsewhere() -> None:
    numa = {"cells": [cell(pins=[pin(0, 6), pin(1, 7)])]}
    with pytest.raises(CpuUnavailable, match=r"spec\.cpu\.sharedSet") as raised:
        build_tuning(order(numa=numa, extra_specs={"hw:cpu_realtime": "true"}))
    assert raised.value.retryable


def test_flavor_and_image_say_how_the_guest_sees_its_processors_and_memory() -> None:
    extra_specs = {
        "hw:cpu_threads": "2",
        "quota:cpu_shares": "512",
        "quota:cpu_quota": "-1",
    }
    tuning = build_tuning(
        order(extra_specs=extra_specs, properties={"hw_locked_memory": "True"})
    )
    assert tuning == GuestTuning(
        locked=True,
        share=CpuShare(shares=512, quota_microseconds=-1),
        topology=CpuTopology(1, 1, 2),
    )


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([cell("0", floatOn="0")], "each must be in one cell"),
        (
            [cell("0-1", 256, floatOn="0"), cell("1", 256, floatOn="0")],
            "each must be in one cell",
        ),
        ([cell(memory_mib=500, floatOn="0")], "500 MiB of a guest of 512"),
        ([cell(pins=[pin(0, 4)])], "processors 1: they have neither a pin"),
        ([cell(pins=[pin(0, 4), pin(1, 5), pin(2, 6)])], "pins processors 2"),
    ],
)
def test_an_order_that_contradicts_itself_is_not_carried_out(
    cells: list[dict[str, Any]], told: str
) -> None:
    with pytest.raises(MachineImpossible, match=told) as raised:
        build_tuning(order(numa={"cells": cells}))
    assert not raised.value.retryable


@pytest.mark.parametrize(
    "extra_specs",
    [
        {"hw:cpu_realtime": "1", "hw:cpu_realtime_mask": "0-7"},
        {"hw:cpu_realtime": "1", "hw:cpu_realtime_mask": "^0-1"},
        {"hw:cpu_realtime": "1", "hw:cpu_realtime_mask": "x"},
        {"quota:cpu_shares": "lots"},
    ],
)
def test_words_that_make_no_sense_are_not_passed_over(
    extra_specs: dict[str, str],
) -> None:
    with pytest.raises(MachineImpossible, match=r"mask|shares"):
        build_tuning(order(extra_specs=extra_specs))


def test_processors_that_are_offline_are_left_out() -> None:
    tuning = GuestTuning(cpu_set=cpus(0, 9), pins={0: cpus(1, 9)}, emulator=cpus(2, 9))
    assert keep_online(tuning, cpus(0, 1, 2)) == GuestTuning(
        cpu_set=cpus(0), pins={0: cpus(1)}, emulator=cpus(2)
    )


@pytest.mark.parametrize(
    ("tuning", "told"),
    [
        (GuestTuning(cpu_set=cpus(8, 9)), "set of processors has its place on .* 8-9"),
        (GuestTuning(pins={3: cpus(9)}), "processor 3 of the guest .* 9 .* 0-1 are"),
        (GuestTuning(pins={0: cpus(0)}, emulator=cpus(9)), "the emulator"),
    ],
)
def test_a_place_without_an_online_processor_is_a_fault_of_this_host(
    tuning: GuestTuning, told: str
) -> None:
    with pytest.raises(CpuUnavailable, match=told) as raised:
        keep_online(tuning, cpus(0, 1))
    assert raised.value.retryable
