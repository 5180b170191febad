"""Nova's filters, by the rules of Nova 34."""

from dataclasses import replace

import pytest

from kilonova_operator.domain.scheduling.filters.compute_capabilities import (
    ComputeCapabilitiesFilter,
)
from kilonova_operator.domain.scheduling.filters.image_properties import (
    ImagePropertiesFilter,
)
from kilonova_operator.domain.scheduling.profile import CapabilityProfile
from support.scheduling import SMALL, X86, made_columns, made_facts, made_view

KVM = replace(X86, virt_type="kvm", hypervisor_version=8_001_005)
ARM = replace(X86, arch="aarch64", cpu_features=(), virt_type="qemu")
HOSTS = made_columns(
    (made_facts("qemu"), made_view("qemu", memory_mb=4096)),
    (made_facts("kvm", profile=KVM), made_view("kvm", memory_mb=65536, claims=7)),
    (made_facts("arm", profile=ARM), made_view("arm", used=(0, 20000, 0))),
    (made_facts("blank", profile=CapabilityProfile()), made_view("blank")),
)
EVERYONE = ["qemu", "kvm", "arm", "blank"]


@pytest.mark.parametrize(
    ("extra_specs", "passing"),
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
    extra_specs: dict[str, str], passing: list[str]
) -> None:
    rule = ComputeCapabilitiesFilter()
    mask = rule.mask(HOSTS, replace(SMALL, extra_specs=extra_specs))
    assert [host for host, ok in zip(HOSTS.hosts, mask, strict=True) if ok] == passing


@pytest.mark.parametrize(
    ("extra_spec", "understood"),
    [
        ("capabilities:anything", True),
        ("free_ram_mb", True),
        ("quota:cpu_shares", False),
        ("unheard_of", False),
        ("hw:cpu_policy", False),
    ],
)
def test_only_capabilities_and_attributes_are_understood(
    extra_spec: str, *, understood: bool
) -> None:
    assert ComputeCapabilitiesFilter().understands(extra_spec) is understood


@pytest.mark.parametrize(
    ("properties", "passing"),
    [
        pytest.param({}, EVERYONE, id="none asked for"),
        pytest.param({"os_distro": "debian"}, EVERYONE, id="not about the machine"),
        pytest.param({"hw_architecture": "x86_64"}, ["qemu", "kvm"], id="architecture"),
        pytest.param({"hw_architecture": "AMD64"}, ["qemu", "kvm"], id="its alias"),
        pytest.param({"hw_architecture": "i386"}, ["qemu", "kvm"], id="32 bit on 64"),
        pytest.param({"hw_architecture": "arm64"}, ["arm"], id="other architecture"),
        pytest.param({"hw_architecture": "vax"}, [], id="no such architecture"),
        pytest.param({"img_hv_type": "kvm"}, ["kvm"], id="hypervisor"),
        pytest.param(
            {"img_hv_type": "kvm", "hw_architecture": "aarch64"}, [], id="not together"
        ),
        pytest.param({"hw_vm_mode": "hvm"}, ["qemu", "kvm", "arm"], id="mode"),
        pytest.param(
            {"hw_vm_mode": "hvm", "img_hv_requested_version": ">=8.0, <9"},
            ["kvm"],
            id="version",
        ),
        pytest.param(
            {"hw_vm_mode": "hvm", "img_hv_requested_version": "newest"},
            [],
            id="no version",
        ),
        pytest.param(
            {"img_hv_requested_version": ">=99"}, EVERYONE, id="version alone, as Nova"
        ),
    ],
)
def test_image_properties_must_fit_one_kind_of_guest(
    properties: dict[str, str], passing: list[str]
) -> None:
    rule = ImagePropertiesFilter()
    mask = rule.mask(HOSTS, replace(SMALL, image_properties=properties))
    assert [host for host, ok in zip(HOSTS.hosts, mask, strict=True) if ok] == passing


def test_reasons_quote_what_was_asked_for() -> None:
    request = replace(
        SMALL,
        extra_specs={"capabilities:vcpus_total": ">= 99"},
        image_properties={"hw_architecture": "vax", "os_distro": "x"},
    )
    assert "vcpus_total >= 99" in ComputeCapabilitiesFilter().explain(request)
    assert "hw_architecture=vax." in ImagePropertiesFilter().explain(request)
