"""Guests with a place on the host: real libvirt, real QEMU, a real kernel."""

import dataclasses
from typing import Any

import libvirt
import pytest

from kilonova_agent.domain.faults import (
    CpuUnavailable,
    NumaCellUnavailable,
    PagesUnavailable,
)
from kilonova_agent.domain.tuning import CpuShare, CpuTopology, GuestTuning
from kilonova_agent.drivers.libvirt.driver import LibvirtDriver
from support.libvirt_host import LibvirtHost
from support.placed_guests import (
    MEMORY_MIB,
    PAGE_KIB,
    PAGES,
    is_vcpu,
    large_pages,
    make_cell,
    make_placed,
    read_free_pages,
    read_online,
    read_threads,
    two_processors,
)
from support.waiting import until

from .conftest import make_driver, running

OFFLINE = frozenset({max(read_online()) + 1})


def cpus(*numbers: int) -> frozenset[int]:
    return frozenset(numbers)


def pin_info(host: LibvirtHost, uuid: str) -> list[frozenset[int]]:
    """Give libvirt's own word on each processor of a guest."""
    with host.connection() as connection:
        info = connection.lookupByUUIDString(uuid).vcpuPinInfo()
    return [
        frozenset(cpu for cpu, is_allowed in enumerate(row) if is_allowed)
        for row in info
    ]


async def test_a_pinned_processor_runs_where_it_is_pinned_and_the_emulator_elsewhere(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    first, last = two_processors()
    guest = make_placed(
        host, cells=(make_cell(0),), pins={0: cpus(last)}, emulator=cpus(first)
    )

    await driver.spawn(guest)

    assert pin_info(host, guest.uuid) == [cpus(last)]
    threads = read_threads(host, guest.uuid)
    vcpus = {name: allowed for name, allowed in threads.items() if is_vcpu(name)}
    assert set(vcpus.values()) == {cpus(last)}, threads
    others = threads.keys() - vcpus.keys()
    assert {threads[name] for name in others} == {cpus(first)}, threads

    def has_run() -> bool:
        with host.connection() as connection:
            domain = connection.lookupByUUIDString(guest.uuid)
            (_, _, cpu_nanoseconds, cpu), *_ = domain.vcpus()[0]
        return bool(cpu_nanoseconds > 0 and cpu == last)

    await until(has_run, "the guest's processor did some work where it is pinned")


async def test_a_shared_guest_keeps_to_the_hosts_shared_processors(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    _, last = two_processors()
    guest = make_placed(host, vcpus=2, cpu_set=cpus(last) | OFFLINE)

    await driver.spawn(guest)

    assert pin_info(host, guest.uuid) == [cpus(last), cpus(last)]
    assert set(read_threads(host, guest.uuid).values()) == {cpus(last)}


async def test_a_guest_of_two_cells_has_a_dedicated_processor_and_a_floating_one(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    first, last = two_processors()
    guest = make_placed(
        host,
        vcpus=2,
        memory_mib=2 * MEMORY_MIB,
        cells=(make_cell(0), make_cell(1)),
        pins={0: cpus(last), 1: cpus(first, last)},
        emulator=cpus(first, last),
        topology=CpuTopology(1, 2, 1),
    )

    await driver.spawn(guest)

    assert pin_info(host, guest.uuid) == [cpus(last), cpus(first, last)]
    found = await driver.find_guest(guest.uuid)
    assert found is not None
    assert (found.vcpus, found.memory_mib) == (2, 2 * MEMORY_MIB)
    with host.connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        assert domain.numaParameters()["numa_nodeset"] == "0"


async def test_large_pages_hold_the_guests_memory_until_there_are_no_more(
    own_host: LibvirtHost,
) -> None:
    cell = make_cell(0, page_size_kib=PAGE_KIB)
    place: dict[str, Any] = {"cells": (cell,), "pins": {0: read_online()}}
    with large_pages(own_host, PAGES + PAGES // 2):
        free = read_free_pages()
        async with running(make_driver(own_host)) as driver:
            await driver.spawn(make_placed(own_host, **place))
            assert read_free_pages() == free - PAGES

            second = make_placed(own_host, **place)
            with pytest.raises(PagesUnavailable, match=f"guest needs {PAGES}") as told:
                await driver.spawn(second)
            assert f"has {free - PAGES} free pages of {PAGE_KIB} KiB" in str(told.value)
            found = await driver.find_guest(second.uuid)
            assert found is None or found.power.is_off


async def test_a_page_size_that_the_host_has_not_is_named(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    cells = (make_cell(0, page_size_kib=16384),)
    with pytest.raises(PagesUnavailable, match="0 free pages of 16384 KiB"):
        await driver.spawn(make_placed(host, cells=cells, pins={0: read_online()}))


async def test_a_host_cell_that_is_not_there_is_named(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    cells = (make_cell(0, host_cell=4095),)
    with pytest.raises(NumaCellUnavailable, match="no NUMA cell 4095"):
        await driver.spawn(make_placed(host, cells=cells, pins={0: read_online()}))


async def test_an_offline_processor_is_named_and_a_guest_that_runs_goes_on(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    guest = make_placed(host)
    away = dataclasses.replace(guest, tuning=GuestTuning(pins={0: OFFLINE}))
    with pytest.raises(CpuUnavailable, match=f"processor {max(OFFLINE)} of this host"):
        await driver.spawn(away)
    assert host.domain_states() == {}

    await driver.spawn(guest)
    await driver.spawn(away)

    assert host.domain_states() == {guest.uuid: libvirt.VIR_DOMAIN_RUNNING}


async def test_a_guest_that_was_off_is_started_at_its_new_place(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    first, last = two_processors()
    guest = make_placed(host, cpu_set=cpus(first))
    await driver.spawn(guest)
    await driver.power_off(guest.uuid)

    moved = dataclasses.replace(guest, tuning=GuestTuning(cpu_set=cpus(last)))
    await driver.spawn(moved)

    assert set(read_threads(host, guest.uuid).values()) == {cpus(last)}


@pytest.mark.parametrize(
    ("tuning", "element"),
    [
        ({"realtime": cpus(1), "pins": {0: cpus(0), 1: cpus(0)}}, "vcpusched"),
        ({"locked": True}, "locked"),
        ({"share": CpuShare(512, 100_000, -1)}, "shares"),
        ({"topology": CpuTopology(1, 1, 2)}, "topology"),
        (
            {"cells": (make_cell(0, 1, page_size_kib=PAGE_KIB),)},
            "hugepages",
        ),
    ],
)
async def test_libvirt_takes_every_word_of_a_definition(
    driver: LibvirtDriver, host: LibvirtHost, tuning: dict[str, Any], element: str
) -> None:
    guest = make_placed(host, vcpus=2, **tuning)
    await driver.spawn(guest, power_on=False)
    with host.connection() as connection:
        assert f"<{element}" in connection.lookupByUUIDString(guest.uuid).XMLDesc()
