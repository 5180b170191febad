"""ComputeCapabilitiesFilter, by the rules of Nova 34."""

import pytest

from kilonova_operator.domain.scheduling.filters.compute_capabilities import (
    ComputeCapabilitiesFilter,
)
from support.host_kinds import EVERYONE, HOSTS
from support.judging import passing
from support.scheduling import made_request


@pytest.mark.parametrize(
    ("extra_specs", "expected"),
    [
        pytest.param({}, EVERYONE, id="none asked for"),
        pytest.param(
            {"capabilities:cpu_info:arch": "s== x86_64"}, ["qemu", "kvm"], id="string"
        ),
        pytest.param(
            {"capabilities:cpu_info:features": "<in> avx2"},
            ["qemu", "kvm"],
            id="substring of a list",
        ),
        pytest.param(
            {"capabilities:cpu_info:features": "<all-in> aes avx2"},
            ["qemu", "kvm"],
            id="all of them",
        ),
        pytest.param(
            {"capabilities:cpu_info:vendor": "<or> AMD <or> Intel"},
            ["qemu", "kvm", "arm"],
            id="one of them",
        ),
        pytest.param(
            {"capabilities:hypervisor_version": ">= 8000000"}, ["kvm"], id="number"
        ),
        pytest.param(
            {"capabilities:free_ram_mb": ">= 32000"}, ["kvm", "blank"], id="free memory"
        ),
        pytest.param({"capabilities:num_instances": "7"}, ["kvm"], id="no operator"),
        pytest.param({"vcpus_total": ">= 16"}, EVERYONE, id="without a scope"),
        pytest.param({"capabilities:vcpus_total": "= 17"}, [], id="= is at least"),
        pytest.param({"capabilities:no_such": "s== x"}, [], id="no such attribute"),
        pytest.param({"capabilities:cpu_info:no_such": "1"}, [], id="no such part"),
        pytest.param({"capabilities:cpu_info:arch:x": "1"}, [], id="beyond a value"),
        pytest.param(
            {"capabilities:cpu_info": "<in> avx2"}, ["qemu", "kvm"], id="text"
        ),
        pytest.param(
            {"capabilities:host": "<or> arm <or> kvm"}, ["kvm", "arm"], id="name"
        ),
        pytest.param({"capabilities:stats:num_instances": "7"}, ["kvm"], id="stats"),
        pytest.param(
            {"capabilities:io_workload": ">= 3"}, ["kvm"], id="found in stats"
        ),
        pytest.param(
            {"capabilities:cpu_allocation_ratio": "4.0"}, EVERYONE, id="ratio"
        ),
        pytest.param({"capabilities:free_ram_mb": ">= much"}, [], id="no number"),
        pytest.param({"capabilities:host_ip": "10.0.0.7"}, ["kvm"], id="address"),
        pytest.param({"hw:maxphysaddr_bits": "42"}, ["kvm"], id="width of addresses"),
        pytest.param(
            {
                "capabilities:cpu_info:arch": "x86_64",
                "capabilities:hypervisor_version": ">= 8000000",
            },
            ["kvm"],
            id="all must hold",
        ),
    ],
)
def test_capabilities_are_matched_with_novas_operators(
    extra_specs: dict[str, str], expected: list[str]
) -> None:
    request = made_request(extra_specs=extra_specs)
    assert passing(ComputeCapabilitiesFilter(), HOSTS, request) == expected


@pytest.mark.parametrize(
    ("extra_spec", "understood"),
    [
        ("capabilities:anything", True),
        ("free_ram_mb", True),
        ("hw:maxphysaddr_bits", False),
        ("quota:cpu_shares", False),
        ("unheard_of", False),
        ("hw:cpu_policy", False),
    ],
)
def test_only_capabilities_and_attributes_are_understood(
    extra_spec: str, *, understood: bool
) -> None:
    assert ComputeCapabilitiesFilter().understands(extra_spec) is understood


def test_the_reason_quotes_what_was_asked_for() -> None:
    request = made_request(extra_specs={"capabilities:vcpus_total": ">= 99"})
    assert "vcpus_total >= 99" in ComputeCapabilitiesFilter().explain(request)
