"""The host's NUMA cells, out of libvirt's capabilities."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator

from kilonova_agent.drivers.base import HostCell
from kilonova_api.cpu_set import parse_cpu_set

_KIB_PER_MIB = 1024


def read_numa_cells(capabilities: ET.Element) -> tuple[HostCell, ...]:
    """Return the cells; none where libvirt tells of none.

    Source: nova.virt.libvirt.driver.LibvirtDriver._get_host_numa_topology, Nova 34.
    """
    cells = capabilities.iterfind("host/topology/cells/cell")
    return tuple(_read_cell(cell) for cell in cells)


def _read_cell(cell: ET.Element) -> HostCell:
    # Of a processor that is offline libvirt tells nothing but its number.
    online = [cpu for cpu in cell.iterfind("cpus/cpu") if cpu.get("siblings")]
    sockets = {int(cpu.get("socket_id", "0")) for cpu in online}
    return HostCell(
        id=int(cell.get("id", "0")),
        cpus=frozenset(int(cpu.get("id", "0")) for cpu in online),
        cores=tuple(sorted(_read_cores(online), key=min)),
        # Nova takes no socket for the cell's where it has more than one.
        socket=sockets.pop() if len(sockets) == 1 else None,
        memory_mib=int(cell.findtext("memory") or 0) // _KIB_PER_MIB,
        pages=dict(_read_pages(cell)),
    )


def _read_cores(cpus: Iterable[ET.Element]) -> set[frozenset[int]]:
    """Return the processors by core, each core once."""
    return {parse_cpu_set(cpu.get("siblings", "")) for cpu in cpus}


def _read_pages(cell: ET.Element) -> Iterator[tuple[int, int]]:
    for pages in cell.iterfind("pages"):
        yield int(pages.get("size", "0")), int(pages.text or 0)
