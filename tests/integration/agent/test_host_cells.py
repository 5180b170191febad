"""The host's NUMA cells as libvirt tells them, beside the kernel's own word."""

from pathlib import Path

from kilonova_agent.drivers.base import HostCell
from kilonova_agent.drivers.libvirt.driver import LibvirtDriver
from kilonova_api.cpu_set import parse_cpu_set
from support.libvirt_host import LibvirtHost
from support.placed_guests import PAGE_KIB, large_pages, read_online

from .conftest import make_driver, running

_SYS = Path("/sys/devices/system")
_FEW_PAGES = 8


def read_cells() -> list[HostCell]:
    """Read the kernel's cells."""
    return [read_cell(path) for path in sorted(_SYS.glob("node/node[0-9]*"))]


def read_cell(cell: Path) -> HostCell:
    """Read what the kernel says of a cell; its smallest pages are left out."""
    cpus = parse_cpu_set((cell / "cpulist").read_text().strip()) & read_online()
    topologies = [_SYS / f"cpu/cpu{cpu}/topology" for cpu in cpus]
    cores = {
        parse_cpu_set((topology / "thread_siblings_list").read_text().strip())
        for topology in topologies
    }
    sockets = {
        int((topology / "physical_package_id").read_text()) for topology in topologies
    }
    return HostCell(
        id=int(cell.name.removeprefix("node")),
        cpus=cpus,
        cores=tuple(sorted(cores, key=min)),
        socket=sockets.pop() if len(sockets) == 1 else None,
        memory_mib=_read_memory_kib(cell) // 1024,
        pages={
            int(pool.name.removeprefix("hugepages-").removesuffix("kB")): int(
                (pool / "nr_hugepages").read_text()
            )
            for pool in (cell / "hugepages").glob("hugepages-*")
        },
    )


def _read_memory_kib(cell: Path) -> int:
    lines = (cell / "meminfo").read_text().splitlines()
    (total,) = (line.split()[3] for line in lines if "MemTotal" in line)
    return int(total)


async def read_reported(driver: LibvirtDriver) -> list[HostCell]:
    """Read the cells that the agent would report."""
    return list((await driver.get_inventory()).numa_cells)


async def test_cells_are_what_the_kernel_says(driver: LibvirtDriver) -> None:
    wanted = read_cells()

    found = await read_reported(driver)

    assert [(c.id, c.cpus, c.cores, c.socket, c.memory_mib) for c in found] == [
        (c.id, c.cpus, c.cores, c.socket, c.memory_mib) for c in wanted
    ]
    for cell, known in zip(found, wanted, strict=True):
        smallest, *larger = sorted(cell.pages)
        assert {size: cell.pages[size] for size in larger} == known.pages
        held_kib = sum(size * count for size, count in cell.pages.items())
        assert abs(held_kib // 1024 - cell.memory_mib) <= 1
        assert smallest < min(known.pages)


async def test_new_large_pages_are_seen_without_a_restart(
    own_host: LibvirtHost,
) -> None:
    async with running(make_driver(own_host)) as driver:
        (before, *_) = await read_reported(driver)
        with large_pages(own_host, _FEW_PAGES, mounted=False):
            (after, *_) = await read_reported(driver)
    assert after.pages[PAGE_KIB] == before.pages[PAGE_KIB] + _FEW_PAGES
