"""The probe of KVM: its flag and its boot sector."""

import pytest

from kilonova_agent.drivers.libvirt.kvm_probe import (
    ANSWER,
    build_boot_sector,
    has_hardware_flag,
)


@pytest.mark.parametrize(
    ("cpuinfo", "found"),
    [
        ("flags\t\t: fpu vmx sse2", True),
        ("flags\t\t: fpu svm", True),
        ("flags\t\t: fpu sse2\nmodel name: svm-like vmx", False),
        ("", False),
    ],
)
def test_only_the_flags_count(cpuinfo: str, *, found: bool) -> None:
    assert has_hardware_flag(cpuinfo) is found


def test_the_probe_is_a_boot_sector_that_points_at_its_answer() -> None:
    sector = build_boot_sector(rounds=0x01020304)

    assert len(sector) == 512
    assert sector.endswith(b"\x55\xaa")
    assert b"\x04\x03\x02\x01" in sector
    pointer = int.from_bytes(sector[16:18], "little") - 0x7C00
    assert sector[pointer:].startswith(ANSWER)
