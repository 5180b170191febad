"""ComputeHost: a hypervisor host, its identity and what it has."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kilonova_api.meta import (
    AGE_COLUMN,
    MAX_INT64,
    Column,
    Conditions,
    Crd,
    CrdModel,
    KubeObject,
    Status,
    list_set,
)
from kilonova_api.network import Ipv4

MAX_UNKNOWN_ADDRESSES = 256

Uuid = Annotated[
    str,
    Field(
        max_length=36,
        pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    ),
]


class AcceptIdentity(CrdModel):
    """A person's word that the new system under an old name is the host now."""

    host_id: Annotated[
        Uuid,
        Field(description="The host id to accept, as status.agent.hostId shows it."),
    ]
    disks: Annotated[
        Literal["Kept", "Lost"],
        Field(
            description=(
                "Kept: the guests' disks survived and the guests go on. Lost: "
                "Servers on this host go to ERROR with reason DiskLost."
            )
        ),
    ]


class ComputeHostSpec(CrdModel):
    """What an admin says of a host. The conductor creates it empty."""

    accept_identity: Annotated[
        AcceptIdentity | None,
        Field(
            description=(
                "Set it when a reinstalled system shows condition IdentityChanged."
            )
        ),
    ] = None


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


class ComputeHostStatus(Status):
    """What the conductor says of a host, and under ``agent`` its own words."""

    state: Annotated[
        Literal["Up", "Down", "Unknown"],
        Field(description="Whether the agent's heartbeat is heard."),
    ] = "Unknown"
    scheduling: Annotated[
        Literal["Enabled", "Held"],
        Field(
            description=(
                "Enabled: new Servers may come. Held: none, until the reason in "
                "the Ready condition is settled."
            )
        ),
    ] = "Held"
    cell: Annotated[
        str | None, Field(description="Cell the host is mapped to.", max_length=63)
    ] = None
    zone: Annotated[
        str | None,
        Field(description="Availability zone, from the Node's label.", max_length=63),
    ] = None
    namespace: Annotated[
        str | None,
        Field(description="Namespace of the host's Instances.", max_length=63),
    ] = None
    host_id: Annotated[
        str | None,
        Field(description="The host id that is accepted.", max_length=36),
    ] = None
    node_uid: Annotated[
        str | None,
        Field(description="uid of the Node that is accepted.", max_length=64),
    ] = None
    servers: Annotated[
        int, Field(description="Number of Servers on the host.", ge=0, le=1000000)
    ] = 0
    vcpus: Annotated[
        str | None,
        Field(
            description="Virtual CPUs in use and in all, ratio included, as 5/128.",
            max_length=32,
        ),
    ] = None
    memory: Annotated[
        str | None,
        Field(description="Memory in use and in all, as 10/62Gi.", max_length=32),
    ] = None
    last_seen_at: Annotated[
        datetime | None,
        Field(description="When the state last changed, by the conductor's clock."),
    ] = None
    agent: Annotated[
        AgentReport | None, Field(description="The agent's own report.")
    ] = None


class ComputeHost(KubeObject):
    """A hypervisor host. The conductor makes it from a labelled Node."""

    crd: ClassVar[Crd] = Crd(
        plural="computehosts",
        short_names=("nhost",),
        namespaced=False,
        selectable_fields=(".status.cell",),
        columns=(
            Column("State", ".status.state", "Up or Down."),
            Column("Sched", ".status.scheduling", "Whether new Servers may come."),
            Column("Cell", ".status.cell", "Cell of the host."),
            Column("Zone", ".status.zone", "Availability zone."),
            Column("Servers", ".status.servers", "Number of Servers.", "integer"),
            Column("VCPU", ".status.vcpus", "Virtual CPUs in use and in all."),
            Column("RAM", ".status.memory", "Memory in use and in all."),
            Column("Virt", ".status.agent.virtType", "kvm or qemu.", wide=True),
            Column(
                "Agent", ".status.agent.agentVersion", "The agent's version.", wide=True
            ),
            Column(
                "Why",
                '.status.conditions[?(@.type=="Ready")].reason',
                "Reason of the Ready condition.",
                wide=True,
            ),
            AGE_COLUMN,
        ),
    )

    spec: Annotated[
        ComputeHostSpec, Field(description="What an admin says of the host.")
    ] = ComputeHostSpec()
    status: ComputeHostStatus = ComputeHostStatus()
