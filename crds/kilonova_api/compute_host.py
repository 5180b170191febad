"""ComputeHost: a hypervisor host, its identity and what it has."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kilonova_api.compute_host_spec import (
    COMPUTE_HOST_RULES,
    ComputeHostSpec,
    PageSize,
)
from kilonova_api.host_report import AgentReport
from kilonova_api.meta import (
    AGE_COLUMN,
    REASON_COLUMN,
    Column,
    Crd,
    CrdModel,
    KubeObject,
    Status,
    list_atomic,
)


class PodPages(CrdModel):
    """Huge pages of one size that Pods request; of which cell nobody tells."""

    size: Annotated[PageSize, Field(description="Size of a page, for example 2Mi.")]
    count: Annotated[
        int, Field(description="Pages that are requested.", ge=1, le=1073741824)
    ]


class ComputeHostStatus(Status):
    """What the conductor says of a host, and under ``agent`` its own words."""

    state: Annotated[
        Literal["Up", "Down", "Unknown"],
        Field(description="Whether the agent's heartbeat is heard."),
    ] = "Unknown"
    scheduling: Annotated[
        Literal["Enabled", "Disabled", "Held"],
        Field(
            description=(
                "Enabled: new Servers may come. Disabled: none, by an admin's word. "
                "Held: none, until the reason in the Ready condition is settled."
            )
        ),
    ] = "Held"
    cell: Annotated[
        str | None, Field(description="Cell the host is mapped to.", max_length=63)
    ] = None
    zone: Annotated[
        str | None,
        Field(
            description=(
                "Availability zone, from a HostAggregate, else from the Node's label."
            ),
            max_length=63,
        ),
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
    pod_pages: Annotated[
        tuple[PodPages, ...],
        Field(
            description="Huge pages that Pods on the host request, by size.",
            max_length=8,
            json_schema_extra=list_atomic(),
        ),
    ] = ()
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
            Column(
                "Disabled-Why",
                ".spec.disabledReason",
                "Why an admin disabled it.",
                wide=True,
            ),
            Column("Virt", ".status.agent.virtType", "kvm or qemu.", wide=True),
            Column(
                "Agent", ".status.agent.agentVersion", "The agent's version.", wide=True
            ),
            REASON_COLUMN,
            AGE_COLUMN,
        ),
    )

    spec: Annotated[
        ComputeHostSpec,
        Field(
            description="What an admin says of the host.",
            json_schema_extra=COMPUTE_HOST_RULES,
        ),
    ] = ComputeHostSpec()
    status: ComputeHostStatus = ComputeHostStatus()
