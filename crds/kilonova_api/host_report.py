"""What a host's agent reports: who it is, and what the host has."""

from typing import Annotated, Literal

from pydantic import Field

from kilonova_api.compute_host_spec import CpuSet, PageSize, Uuid
from kilonova_api.cpu_set import CPU_SET_PATTERN, parse_cpu_set
from kilonova_api.meta import (
    MAX_INT64,
    Conditions,
    CrdModel,
    list_atomic,
    list_map,
    list_set,
)
from kilonova_api.network import Ipv4
from kilonova_api.resources import TraitName

MAX_UNKNOWN_ADDRESSES = 256
MAX_NUMA_CELLS = 128


class CpuReport(CrdModel):
    """The host's processors as libvirt reports them."""

    arch: Annotated[str, Field(description="CPU architecture.", max_length=32)]
    model: Annotated[
        str, Field(description="CPU model by libvirt's name.", max_length=128)
    ] = ""
    vendor: Annotated[
        str, Field(description="CPU vendor by libvirt's name.", max_length=64)
    ] = ""
    cores: Annotated[
        int, Field(description="Logical processors in all.", ge=0, le=65536)
    ]
    features: Annotated[
        tuple[Annotated[str, Field(max_length=64)], ...],
        Field(
            description="CPU flags by libvirt's names.",
            max_length=512,
            json_schema_extra=list_set(),
        ),
    ] = ()
    address_bits: Annotated[
        int | None,
        Field(
            description="Width of physical addresses (Nova's maxphysaddr).",
            ge=1,
            le=64,
        ),
    ] = None


class PagePool(CrdModel):
    """Memory pages of one size in a NUMA cell."""

    size: Annotated[PageSize, Field(description="Size of a page, for example 2Mi.")]
    total: Annotated[
        int,
        Field(
            description="Pages of this size, in use or not.",
            ge=0,
            le=MAX_INT64,
            json_schema_extra={"format": "int64"},
        ),
    ]


class NumaCell(CrdModel):
    """A NUMA cell of the host."""

    id: Annotated[
        int, Field(description="Number of the cell, as libvirt has it.", ge=0, le=4095)
    ]
    cpus: Annotated[
        str,
        Field(
            description="Logical processors of the cell, as 0-7; may be none.",
            max_length=8192,
            pattern=rf"^$|{CPU_SET_PATTERN}",
        ),
    ]
    siblings: Annotated[
        tuple[CpuSet, ...],
        Field(
            description=(
                "Threads of one core, as 0,64: a set for each core of the cell that "
                "has more than one; the other processors are cores of their own."
            ),
            max_length=4096,
            json_schema_extra=list_atomic(),
        ),
    ] = ()
    socket: Annotated[
        int | None,
        Field(description="Number of the socket the cell is in.", ge=0, le=4095),
    ] = None
    memory_mib: Annotated[
        int,
        Field(
            alias="memoryMiB",
            description="Memory of the cell in MiB.",
            ge=0,
            le=1073741824,
        ),
    ]
    page_pools: Annotated[
        tuple[PagePool, ...],
        Field(
            description="Pages of the cell by size, the smallest size included.",
            max_length=8,
            json_schema_extra=list_map("size"),
        ),
    ] = ()

    def list_cores(self) -> tuple[frozenset[int], ...]:
        """Return the threads of each core, those of one thread included."""
        threads = [parse_cpu_set(core) for core in self.siblings]
        alone = parse_cpu_set(self.cpus).difference(*threads)
        singles = (frozenset({cpu}) for cpu in alone)
        return tuple(sorted((*threads, *singles), key=min))


class MonitorMetric(CrdModel):
    """One figure of a compute monitor, as nova.objects.MonitorMetric."""

    name: Annotated[
        str,
        Field(
            description="Nova's name of it, for example cpu.percent.",
            max_length=64,
            pattern=r"^[a-z]+(\.[a-z]+)+$",
        ),
    ]
    value: Annotated[
        int,
        Field(
            description="MHz, nanoseconds since the host's start, or percent.",
            ge=0,
            le=MAX_INT64,
            json_schema_extra={"format": "int64"},
        ),
    ]


class AgentReport(CrdModel):
    """What the host's agent says: who it is and what the host has."""

    host_id: Annotated[
        Uuid,
        Field(description="Random id of this installation, from a file of the host."),
    ]
    boot_id: Annotated[
        str, Field(description="The kernel's boot id.", max_length=64)
    ] = ""
    node_uid: Annotated[
        str, Field(description="uid of the Node the agent runs on.", max_length=64)
    ] = ""
    agent_version: Annotated[
        str, Field(description="Version of the agent.", max_length=64)
    ]
    hypervisor_type: Annotated[
        str, Field(description="Hypervisor by libvirt's name.", max_length=32)
    ] = ""
    hypervisor_version: Annotated[
        int,
        Field(
            description="Version as a number: major * 1000000 + minor * 1000 + micro.",
            ge=0,
            le=MAX_INT64,
            json_schema_extra={"format": "int64"},
        ),
    ] = 0
    libvirt_version: Annotated[
        int,
        Field(
            description="libvirt's version, as a number like hypervisorVersion.",
            ge=0,
            le=MAX_INT64,
            json_schema_extra={"format": "int64"},
        ),
    ] = 0
    virt_type: Annotated[
        Literal["kvm", "qemu"] | None,
        Field(description="kvm, or qemu (software emulation): what was found to work."),
    ] = None
    cpu: Annotated[CpuReport | None, Field(description="The host's processors.")] = None
    numa_cells: Annotated[
        tuple[NumaCell, ...],
        Field(
            description="NUMA cells of the host; none where libvirt tells of none.",
            max_length=MAX_NUMA_CELLS,
            json_schema_extra=list_map("id"),
        ),
    ] = ()
    traits: Annotated[
        tuple[TraitName, ...],
        Field(
            description=(
                "Traits that the host was found to have, for example "
                "HW_CPU_X86_AVX2; an admin adds others in spec.traits."
            ),
            max_length=512,
            json_schema_extra=list_set(),
        ),
    ] = ()
    memory_mib: Annotated[
        int,
        Field(
            alias="memoryMiB",
            description="Memory for guests and host together, in MiB.",
            ge=0,
            le=1073741824,
        ),
    ] = 0
    disk_gib: Annotated[
        int,
        Field(
            alias="diskGiB",
            description="Size of the file system that holds the guests, in GiB.",
            ge=0,
            le=16777216,
        ),
    ] = 0
    unknown_domains: Annotated[
        int,
        Field(
            description="Living guests on the host that no Instance speaks of.",
            ge=0,
            le=1000000,
        ),
    ] = 0
    unknown_vcpus: Annotated[
        int,
        Field(description="Virtual CPUs of those guests.", ge=0, le=1000000),
    ] = 0
    unknown_memory_mib: Annotated[
        int,
        Field(
            alias="unknownMemoryMiB",
            description="Memory of those guests in MiB.",
            ge=0,
            le=1073741824,
        ),
    ] = 0
    unknown_addresses: Annotated[
        tuple[Ipv4, ...],
        Field(
            description=(
                "IPv4 addresses of those guests, as far as the host knows them: no "
                "Server is given one."
            ),
            max_length=MAX_UNKNOWN_ADDRESSES,
            json_schema_extra=list_set(),
        ),
    ] = ()
    metrics: Annotated[
        tuple[MonitorMetric, ...],
        Field(
            description=(
                "What the host's compute monitors found last, at most once a minute; "
                "none unless the agents' setting COMPUTE_MONITORS names one."
            ),
            max_length=64,
            json_schema_extra=list_map("name"),
        ),
    ] = ()
    observed_generation: Annotated[
        int,
        Field(
            description="metadata.generation the agent last looked at.",
            ge=-1,
            le=MAX_INT64,
            json_schema_extra={"format": "int64"},
        ),
    ] = -1
    conditions: Conditions = ()
