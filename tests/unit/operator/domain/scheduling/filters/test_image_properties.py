"""ImagePropertiesFilter, by the rules of Nova 34."""

import pytest

from kilonova_operator.domain.scheduling.filters.image_properties import (
    ImagePropertiesFilter,
)
from support.host_kinds import EVERYONE, HOSTS
from support.judging import passing
from support.scheduling import SMALL, made_request


@pytest.mark.parametrize(
    ("properties", "expected"),
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
            {"hw_vm_mode": "hvm", "hw_maxphysaddr_bits": "47"},
            ["qemu", "arm"],
            id="wider addresses than a host says it has",
        ),
        pytest.param(
            {"img_hv_requested_version": ">=99"}, EVERYONE, id="version alone, as Nova"
        ),
    ],
)
def test_image_properties_must_fit_one_kind_of_guest(
    properties: dict[str, str], expected: list[str]
) -> None:
    request = made_request(image_properties=properties)
    assert passing(ImagePropertiesFilter(), HOSTS, request) == expected


def test_a_site_may_say_what_images_are_that_do_not_say_it() -> None:
    rule = ImagePropertiesFilter(default_architecture="aarch64")
    assert passing(rule, HOSTS, SMALL) == ["arm"]
    asked = made_request(image_properties={"hw_architecture": "x86_64"})
    assert passing(rule, HOSTS, asked) == ["qemu", "kvm"]


def test_the_reason_quotes_what_was_asked_for() -> None:
    request = made_request(
        image_properties={"hw_architecture": "vax", "os_distro": "x"}
    )
    assert "hw_architecture=vax." in ImagePropertiesFilter().explain(request)
