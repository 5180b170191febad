"""What is wrong with a flavor's extra specs, and what was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova_api.extra_specs.check import check_extra_specs, find_value_rule
from kilonova_api.extra_specs.standard_traits import STANDARD_TRAITS
from kilonova_api.extra_specs.table import KEYS, STANDARD_RESOURCE_CLASSES


def say(bag: dict[str, str]) -> list[str]:
    return [str(problem) for problem in check_extra_specs(bag)]


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("hw:cpu_polcy", "hw:cpu_policy"),
        ("hw:numa_cpu.0", "hw:numa_cpus.0"),
        ("hw:mem_pagesize", "hw:mem_page_size"),
        ("hww:cpu_policy", "hw:cpu_policy"),
        ("capabilities:freeram_mb", "capabilities:free_ram_mb"),
        ("trait:HW_CPU_X86_AVX512", "trait:HW_CPU_X86_AVX512F"),
        ("trait_nic:HW_NIC_SRIV", "trait_nic:HW_NIC_SRIOV"),
        ("resources:VCUP", "resources:VCPU"),
    ],
)
def test_an_unknown_key_is_said_with_the_one_that_was_meant(
    key: str, nearest: str
) -> None:
    assert say({key: "1"}) == [f"{key}: unknown; did you mean {nearest}?"]


def test_a_key_that_is_like_no_other_is_unknown_without_a_guess() -> None:
    assert say({"zzz:qqq": "1"}) == ["zzz:qqq: unknown"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hw:cpu_policy", "mixed"),
        ("hw:cpu_dedicated_mask", "^0-1,3"),
        ("hw:mem_page_size", "2MB"),
        ("hw:mem_page_size", "1048576"),
        ("hw:numa_cpus.1", "2-3"),
        ("hw:numa_mem.1", "512"),
        ("hw:boot_menu", "Yes"),
        ("hw:maxphysaddr_bits", "42"),
        ("quota:cpu_quota", "-1"),
        ("quota:vif_outbound_peak", "0"),
        ("resources:VCPU", "0"),
        ("resources1:CUSTOM_FPGA", "2"),
        ("trait:CUSTOM_GOLD", "forbidden"),
        ("trait_a:HW_CPU_X86_AVX2", "required"),
        ("capabilities:cpu_info:features", "<in> avx"),
        ("capabilities:free_ram_mb", ">= 1024"),
        ("aggregate_instance_extra_specs:ssd", "<or> true <or> 1"),
        ("group_policy", "isolate"),
        ("ssd", "true"),
    ],
)
def test_what_nova_takes_is_taken(key: str, value: str) -> None:
    assert say({key: value}) == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("hw:cpu_policy", "Dedicated", "did you mean dedicated?"),
        ("hw:numa_nodes", "0", "0 is less than 1"),
        ("hw:numa_nodes", "two", '"two" is no whole number'),
        ("hw:redirected_usb_ports", "16", "16 is more than 15"),
        ("hw:boot_menu", "maybe", '"maybe" is neither true nor false'),
        ("hw:mem_page_size", "huge", "small, large, any or 2MB"),
        ("trait:CUSTOM_GOLD", "require", "did you mean required?"),
        ("resources:VCPU", "many", '"many" is no whole number'),
        ("group_policy", "both", '"both" is none of isolate, none'),
    ],
)
def test_a_wrong_value_is_said_by_its_key(key: str, value: str, said: str) -> None:
    (problem,) = say({key: value})
    assert problem.startswith(f"{key}: ")
    assert said in problem


def test_all_problems_are_said_in_the_order_of_their_keys() -> None:
    keys = [p.key for p in check_extra_specs({"hw:b": "1", "a:b": "1", "hw:a": "1"})]
    assert keys == ["a:b", "hw:a", "hw:b"]


def test_the_tables_are_as_large_as_their_sources() -> None:
    assert len(STANDARD_TRAITS) == 377
    assert len(STANDARD_RESOURCE_CLASSES) == 21
    assert all(find_value_rule(f"trait:{name}") for name in STANDARD_TRAITS)


@given(st.sampled_from(sorted(KEYS)), st.text(max_size=20))
def test_no_value_is_too_strange_to_be_judged(key: str, value: str) -> None:
    check_extra_specs({key: value})


@given(st.text(min_size=1, max_size=40))
def test_no_key_is_too_strange_to_be_judged(key: str) -> None:
    assert len(check_extra_specs({key: "1"})) <= 1
