"""What the host has, as libvirt tells it. All functions block."""

import xml.etree.ElementTree as ET

import libvirt

from kilonova_agent.drivers.base import HostCpuTimes, HostInventory, VirtType
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
        address_bits=_read_address_bits(cpu),
    )


def read_cpu_times(connection: libvirt.virConnect) -> HostCpuTimes:
    """Read what the host's processors did since its start.

    Source: nova.virt.libvirt.host.Host.get_cpu_stats, Nova 34.
    """
    times = connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS, 0)
    _, _, _, frequency_mhz, *_ = connection.getInfo()
    return HostCpuTimes(
        user=times["user"],
        kernel=times["kernel"],
        idle=times["idle"],
        iowait=times["iowait"],
        frequency_mhz=frequency_mhz,
    )


def _read_address_bits(cpu: ET.Element | None) -> int | None:
    found = None if cpu is None else cpu.find("maxphysaddr")
    bits = None if found is None else found.get("bits")
    return int(bits) if bits else None


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
