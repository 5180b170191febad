"""The host's NUMA cells out of libvirt's capabilities."""

import xml.etree.ElementTree as ET

import libvirt

from kilonova_agent.drivers.base import HostCell
from kilonova_agent.drivers.libvirt.numa import read_numa_cells

TWO_CELLS = """
<capabilities><host><topology><cells num='2'>
  <cell id='0'>
    <memory unit='KiB'>8388608</memory>
    <pages unit='KiB' size='4'>2097152</pages>
    <pages unit='KiB' size='2048'>512</pages>
    <distances><sibling id='0' value='10'/><sibling id='1' value='21'/></distances>
    <cpus num='5'>
      <cpu id='0' socket_id='0' die_id='0' core_id='0' siblings='0,4'/>
      <cpu id='1' socket_id='0' die_id='0' core_id='1' siblings='1,5'/>
      <cpu id='4' socket_id='0' die_id='0' core_id='0' siblings='0,4'/>
      <cpu id='5' socket_id='0' die_id='0' core_id='1' siblings='1,5'/>
      <cpu id='7'/>
    </cpus>
  </cell>
  <cell id='3'>
    <memory unit='KiB'>4194304</memory>
    <cpus num='0'/>
  </cell>
</cells></topology></host></capabilities>
"""


def test_cells_have_processors_cores_memory_and_pages() -> None:
    cells = read_numa_cells(ET.fromstring(TWO_CELLS))  # noqa: S314
    assert cells == (
        HostCell(
            id=0,
            cpus=frozenset({0, 1, 4, 5}),
            cores=(frozenset({0, 4}), frozenset({1, 5})),
            socket=0,
            memory_mib=8192,
            pages={4: 2097152, 2048: 512},
        ),
        HostCell(
            id=3,
            cpus=frozenset(),
            cores=(),
            socket=None,
            memory_mib=4096,
            pages={},
        ),
    )


def test_a_cell_over_two_sockets_has_none() -> None:
    text = TWO_CELLS.replace("<cpu id='1' socket_id='0'", "<cpu id='1' socket_id='1'")
    cell, _ = read_numa_cells(ET.fromstring(text))  # noqa: S314
    assert cell.socket is None


def test_a_host_without_topology_has_no_cells() -> None:
    bare = ET.fromstring("<capabilities><host/></capabilities>")  # noqa: S314
    assert read_numa_cells(bare) == ()


def test_libvirts_own_example_is_understood() -> None:
    connection = libvirt.open("test:///default")
    try:
        capabilities = ET.fromstring(connection.getCapabilities())  # noqa: S314
    finally:
        connection.close()
    cells = read_numa_cells(capabilities)
    assert [len(cell.cpus) for cell in cells] == [8, 8]
    assert all(len(core) == 1 for cell in cells for core in cell.cores)
    assert [cell.memory_mib for cell in cells] == [2048, 4096]
