"""What the host has, as libvirt tells it. All functions block."""

import xml.etree.ElementTree as ET

import libvirt

from kilonova_agent.drivers.base import HostInventory, VirtType
from kilonova_agent.drivers.libvirt.numa import read_numa_cells

_KIB_PER_MIB = 1024
# Longer lists than the API takes would lose the whole report.
MAX_FEATURES = 512


def read_inventory(
    connection: libvirt.virConnect, virt_type: VirtType
) -> HostInventory:
    """Read the host's processors, memory and versions."""
    capabilities = ET.fromstring(connection.getCapabilities())  # noqa: S314
    cpu = capabilities.find("host/cpu")
    arch, _, cores, *_ = connection.getInfo()
    return HostInventory(
        hypervisor_type=connection.getType(),
        hypervisor_version=connection.getVersion(),
        libvirt_version=connection.getLibVersion(),
        virt_type=virt_type,
        arch=arch,
        cpu_model=_text(cpu, "model"),
        cpu_vendor=_text(cpu, "vendor"),
        cores=cores,
        cpu_features=_read_features(connection, cpu),
        memory_mib=_read_memory_mib(connection),
        numa_cells=read_numa_cells(capabilities),
    )


def _read_memory_mib(connection: libvirt.virConnect) -> int:
    # getInfo()'s memory can be that of one NUMA node only.
    stats = connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS, 0)
    return int(stats["total"]) // _KIB_PER_MIB


def _read_features(
    connection: libvirt.virConnect, cpu: ET.Element | None
) -> tuple[str, ...]:
    """Read all flags: capabilities name only those beyond the model's own."""
    if cpu is None or cpu.find("model") is None:
        return ()
    flag = libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
    try:
        expanded = connection.baselineCPU([ET.tostring(cpu, encoding="unicode")], flag)
    except libvirt.libvirtError:  # not every architecture can expand
        features = cpu.iterfind("feature")
    else:
        features = ET.fromstring(expanded).iterfind("feature")  # noqa: S314
    names = {f.get("name", "") for f in features if f.get("policy") != "disable"}
    return tuple(sorted(names - {""}))[:MAX_FEATURES]


def _text(element: ET.Element | None, tag: str) -> str:
    if element is None:
        return ""
    return element.findtext(tag) or ""
