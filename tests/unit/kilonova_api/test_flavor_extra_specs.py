"""A flavor's typed fields are extra specs by Nova's names."""

from typing import Any

import pytest

from kilonova_api.extra_specs.check import check_extra_specs
from kilonova_api.flavor import FlavorSpec
from kilonova_api.flavor_extra_specs import effective_extra_specs
from kilonova_api.flavor_rules import TYPED_KEYS

FULL: dict[str, Any] = {
    "cpu": {
        "policy": "Mixed",
        "threads": "Isolate",
        "dedicatedMask": "^0-1",
        "emulatorThreads": "Share",
        "topology": {"sockets": 1, "cores": 2, "threads": 4},
    },
    "numa": {"nodes": 2},
    "memory": {"pageSize": "1Gi"},
    "traits": {"required": ["HW_CPU_X86_AVX2"], "forbidden": ["CUSTOM_OLD"]},
    "resources": {"CUSTOM_FPGA": 1, "VCPU": 0},
}
AS_NOVA = {
    "hw:cpu_policy": "mixed",
    "hw:cpu_thread_policy": "isolate",
    "hw:cpu_dedicated_mask": "^0-1",
    "hw:emulator_threads_policy": "share",
    "hw:cpu_sockets": "1",
    "hw:cpu_cores": "2",
    "hw:cpu_threads": "4",
    "hw:numa_nodes": "2",
    "hw:mem_page_size": "1048576",
    "trait:HW_CPU_X86_AVX2": "required",
    "trait:CUSTOM_OLD": "forbidden",
    "resources:CUSTOM_FPGA": "1",
    "resources:VCPU": "0",
}


def read(**fields: Any) -> dict[str, str]:
    spec = {"vcpus": 1, "ramMiB": 64, **fields}
    return effective_extra_specs(FlavorSpec.model_validate(spec))


def test_every_field_has_its_key_and_nova_takes_what_it_says() -> None:
    assert read(**FULL) == AS_NOVA
    assert check_extra_specs(AS_NOVA) == []
    assert set(TYPED_KEYS.values()) <= AS_NOVA.keys()


def test_a_flavor_without_typed_fields_is_its_bag() -> None:
    assert read() == {}
    assert read(extraSpecs={"hw:pmu": "no"}) == {"hw:pmu": "no"}


def test_bag_and_fields_go_together() -> None:
    bag = {"hw:boot_menu": "yes"}
    assert read(**FULL, extraSpecs=bag) == AS_NOVA | bag


def test_parts_that_are_left_out_say_nothing() -> None:
    assert read(cpu={}, traits={}) == {}
    assert read(cpu={"topology": {"threads": 2}}) == {"hw:cpu_threads": "2"}


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("Small", "small"),
        ("Large", "large"),
        ("Any", "any"),
        ("4Ki", "4"),
        ("2Mi", "2048"),
        ("1Gi", "1048576"),
    ],
)
def test_page_sizes_are_names_or_kib(size: str, said: str) -> None:
    assert read(memory={"pageSize": size}) == {"hw:mem_page_size": said}
