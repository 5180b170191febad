"""Traits follow from the processor, from the driver, and from what people say."""

from typing import Any

from kilonova_api.compute_host import ComputeHost
from kilonova_api.extra_specs.standard_traits import STANDARD_TRAITS
from kilonova_operator.domain.hosts.traits import (
    DISABLED_TRAIT,
    DRIVER_TRAITS,
    build_cpu_traits,
    build_host_traits,
    find_meant_trait,
    list_unknown_traits,
)

PREFIX = "HW_CPU_X86_"


def build_host(spec: Any = None, **agent: Any) -> ComputeHost:
    report = {
        "hostId": "11111111-1111-4111-8111-111111111111",
        "agentVersion": "0.1.0",
        **agent,
    }
    return ComputeHost.model_validate(
        {
            "metadata": {"name": "hv1"},
            "spec": spec or {},
            "status": {"agent": report},
        }
    )


def test_features_have_other_names_as_traits() -> None:
    assert build_cpu_traits(("avx2", "sse4.1", "aes", "pdpe1gb", "fma")) == {
        "HW_CPU_X86_AVX2",
        "HW_CPU_X86_SSE41",
        "HW_CPU_X86_AESNI",
        "HW_CPU_X86_FMA3",
    }


def test_virtualisation_has_its_old_and_its_vendors_name() -> None:
    assert build_cpu_traits(("vmx",)) == {"HW_CPU_X86_VMX", "HW_CPU_X86_INTEL_VMX"}
    assert build_cpu_traits(("svm",)) == {"HW_CPU_X86_SVM", "HW_CPU_X86_AMD_SVM"}


def test_an_admins_traits_stand_beside_the_agents() -> None:
    host = build_host({"traits": ["CUSTOM_RACK_7"]}, traits=["HW_CPU_X86_AMD_SEV"])
    assert {"CUSTOM_RACK_7", "HW_CPU_X86_AMD_SEV"} <= build_host_traits(host)
    assert build_host_traits(host) >= DRIVER_TRAITS


def test_the_processor_names_its_architecture() -> None:
    host = build_host(cpu={"arch": "x86_64", "cores": 8, "features": ["avx"]})
    traits = build_host_traits(host)
    assert {"HW_ARCH_X86_64", "COMPUTE_ARCH_X86_64", "HW_CPU_X86_AVX"} <= traits


def test_threads_of_one_core_are_told() -> None:
    cell = {"id": 0, "cpus": "0-3", "memoryMiB": 1024}
    single = build_host(numaCells=[cell])
    double = build_host(numaCells=[cell | {"siblings": ["0,2", "1,3"]}])
    assert "HW_CPU_HYPERTHREADING" not in build_host_traits(single)
    assert "HW_CPU_HYPERTHREADING" in build_host_traits(double)


def test_a_disabled_host_says_so_as_in_nova() -> None:
    assert DISABLED_TRAIT in build_host_traits(build_host({"disabled": True}))
    assert DISABLED_TRAIT not in build_host_traits(build_host())


def test_a_host_without_a_report_has_what_every_host_has() -> None:
    host = ComputeHost.model_validate({"metadata": {"name": "hv1"}})
    assert build_host_traits(host) == DRIVER_TRAITS


def test_a_trait_that_nobody_knows_has_no_effect() -> None:
    host = build_host({"traits": ["HW_CPU_X86_AVX22", "HW_CPU_X86_SGX", "CUSTOM_A"]})
    assert list_unknown_traits(host) == ("HW_CPU_X86_AVX22",)
    assert "HW_CPU_X86_AVX22" not in build_host_traits(host)
    assert find_meant_trait("HW_CPU_X86_AVX22") == "HW_CPU_X86_AVX2"


def test_what_every_host_has_is_standard() -> None:
    assert STANDARD_TRAITS >= DRIVER_TRAITS


def test_the_traits_of_features_are_standard() -> None:
    features = [trait.removeprefix(PREFIX).lower() for trait in STANDARD_TRAITS]
    others = ("aes", "sse4.1", "fma", "bmi1", "gfni", "vaes", "amx-int8", "svm", "vmx")
    assert build_cpu_traits([*features, *others]) <= STANDARD_TRAITS
