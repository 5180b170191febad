"""The part of a domain's XML that says where it runs."""

import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from kilonova_agent.domain.tuning import (
    Cpus,
    CpuShare,
    CpuTopology,
    GuestCell,
    GuestTuning,
)
from kilonova_agent.drivers.base import GuestDefinition, GuestMark
from kilonova_agent.drivers.libvirt.domain_xml import (
    Platform,
    build_domain_xml,
    default_cpu,
    make_environment,
)

UUID = "11111111-2222-4333-8444-555555555555"
GUEST = GuestDefinition(
    uuid=UUID,
    mark=GuestMark("c1", "shop", "web-0", UUID, 3, 4, "b1"),
    vcpus=2,
    memory_mib=512,
    disks=(),
    config_drive=None,
    nics=(),
    console_log=Path("/state/console.log"),
)
QEMU = Platform("qemu", "x86_64", default_cpu("qemu"))
KVM = Platform("kvm", "x86_64", default_cpu("kvm"))
NEW_ELEMENTS = ("memoryBacking", "cputune", "numatune", "cpu/numa", "cpu/topology")


def build(platform: Platform = QEMU, **tuning: Any) -> ET.Element:
    guest = dataclasses.replace(GUEST, tuning=GuestTuning(**tuning))
    text = build_domain_xml(make_environment(), guest, platform)
    return ET.fromstring(text)  # noqa: S314 - our own words


def show(domain: ET.Element, path: str) -> list[dict[str, str]]:
    return [dict(element.attrib) for element in domain.iterfind(path)]


def cpus(*numbers: int) -> Cpus:
    return frozenset(numbers)


@pytest.mark.parametrize("platform", [QEMU, KVM])
def test_a_guest_that_is_not_tuned_has_no_word_of_it(platform: Platform) -> None:
    domain = build(platform)
    assert all(domain.find(path) is None for path in NEW_ELEMENTS)
    assert show(domain, "vcpu") == [{}]


def test_a_shared_guest_has_a_set_of_processors_alone() -> None:
    domain = build(cpu_set=cpus(0, 1, 2, 5))
    assert show(domain, "vcpu") == [{"cpuset": "0-2,5"}]
    assert domain.findtext("vcpu") == "2"
    assert all(domain.find(path) is None for path in NEW_ELEMENTS)


def test_a_dedicated_guest_is_pinned_and_bound_to_its_cell() -> None:
    domain = build(
        cells=(GuestCell(1, 512, cpus(0, 1)),),
        pins={0: cpus(6), 1: cpus(7)},
        emulator=cpus(6, 7),
    )
    assert show(domain, "vcpu") == [{}]
    assert show(domain, "cputune/vcpupin") == [
        {"vcpu": "0", "cpuset": "6"},
        {"vcpu": "1", "cpuset": "7"},
    ]
    assert show(domain, "cputune/emulatorpin") == [{"cpuset": "6-7"}]
    assert show(domain, "numatune/memory") == [{"mode": "strict", "nodeset": "1"}]
    assert show(domain, "numatune/memnode") == [
        {"cellid": "0", "mode": "strict", "nodeset": "1"}
    ]
    assert show(domain, "cpu/numa/cell") == [
        {"id": "0", "cpus": "0-1", "memory": "512", "unit": "MiB"}
    ]
    assert domain.find("memoryBacking") is None


def test_a_mixed_guest_floats_on_a_set_beside_an_isolated_emulator() -> None:
    domain = build(
        cells=(GuestCell(0, 512, cpus(0, 1)),),
        pins={0: cpus(6), 1: cpus(1, 2, 3)},
        emulator=cpus(4),
    )
    assert show(domain, "cputune/vcpupin") == [
        {"vcpu": "0", "cpuset": "6"},
        {"vcpu": "1", "cpuset": "1-3"},
    ]
    assert show(domain, "cputune/emulatorpin") == [{"cpuset": "4"}]


def test_two_cells_have_memory_processors_and_pages_of_their_own() -> None:
    domain = build(
        cells=(
            GuestCell(3, 256, cpus(0), page_size_kib=2048),
            GuestCell(1, 256, cpus(1), page_size_kib=4),
        ),
        pins={0: cpus(0), 1: cpus(1)},
        emulator=cpus(0, 1),
    )
    assert show(domain, "numatune/memory") == [{"mode": "strict", "nodeset": "1,3"}]
    assert show(domain, "numatune/memnode") == [
        {"cellid": "0", "mode": "strict", "nodeset": "3"},
        {"cellid": "1", "mode": "strict", "nodeset": "1"},
    ]
    shared = {"memory": "256", "unit": "MiB", "memAccess": "shared"}
    assert show(domain, "cpu/numa/cell") == [
        {"id": "0", "cpus": "0", **shared},
        {"id": "1", "cpus": "1", **shared},
    ]
    assert show(domain, "memoryBacking/hugepages/page") == [
        {"size": "2048", "unit": "KiB", "nodeset": "0"}
    ]
    assert domain.find("memoryBacking/nosharepages") is None
    assert domain.find("memoryBacking/locked") is None


def test_the_smallest_pages_are_what_every_guest_has() -> None:
    cell = GuestCell(0, 512, cpus(0, 1), page_size_kib=64)
    arm = dataclasses.replace(QEMU, page_size_kib=64)
    domain = build(arm, cells=(cell,))
    assert domain.find("memoryBacking") is None
    assert "memAccess" not in show(domain, "cpu/numa/cell")[0]


def test_a_cell_of_memory_alone_names_no_processors() -> None:
    cells = (GuestCell(0, 256, cpus(0, 1)), GuestCell(1, 256, cpus()))
    second = show(build(cells=cells), "cpu/numa/cell")[1]
    assert "cpus" not in second


def test_realtime_processors_have_their_scheduler_and_memory_that_stays() -> None:
    domain = build(pins={0: cpus(0), 1: cpus(1)}, realtime=cpus(1), emulator=cpus(0))
    assert show(domain, "cputune/vcpusched") == [
        {"vcpus": "1", "scheduler": "fifo", "priority": "1"}
    ]
    assert domain.find("memoryBacking/nosharepages") is not None
    assert domain.find("memoryBacking/locked") is not None


def test_locked_memory_may_still_be_shared_among_guests() -> None:
    domain = build(locked=True)
    assert [element.tag for element in domain.iterfind("memoryBacking/*")] == ["locked"]


def test_a_share_of_processors_is_said_as_far_as_asked_for() -> None:
    share = CpuShare(shares=512, quota_microseconds=-1)
    domain = build(share=share)
    said = [(e.tag, e.text) for e in domain.iterfind("cputune/*")]
    assert said == [("shares", "512"), ("quota", "-1")]


@pytest.mark.parametrize("platform", [QEMU, KVM])
def test_a_topology_stands_beside_the_processors_model(platform: Platform) -> None:
    domain = build(platform, topology=CpuTopology(1, 1, 2))
    assert show(domain, "cpu/topology") == [
        {"sockets": "1", "cores": "1", "threads": "2"}
    ]
