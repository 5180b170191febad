"""What an admin says of a host."""

from typing import Annotated, Literal

from pydantic import Field

from kilonova_api.cpu_set import CPU_SET_PATTERN
from kilonova_api.meta import CrdModel, cel, list_map, list_set
from kilonova_api.resources import (
    INVENTORY_RULES,
    CustomInventory,
    Ratio,
    TraitName,
    ratio_rule,
)

Uuid = Annotated[
    str,
    Field(
        max_length=36,
        pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    ),
]
CpuSet = Annotated[str, Field(max_length=2048, pattern=CPU_SET_PATTERN)]
PageSize = Annotated[str, Field(max_length=8, pattern=r"^[1-9][0-9]{0,5}(Ki|Mi|Gi)$")]


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


class HostCpuSets(CrdModel):
    """Which of the host's logical processors guests get, and how."""

    dedicated_set: Annotated[
        CpuSet | None,
        Field(
            description=(
                'Processors that are given whole, to one guest each, as "8-63,72-127" '
                '("^9" takes one out): the host\'s PCPU. None when left out. Keep '
                "them from kubelet's own CPU manager."
            )
        ),
    ] = None
    shared_set: Annotated[
        CpuSet | None,
        Field(
            description=(
                "Processors that all other guests share: the host's VCPU, times its "
                "ratio. When left out: all, or with a dedicatedSet none, as in Nova."
            )
        ),
    ] = None


class ReservedPages(CrdModel):
    """Memory pages of a NUMA cell that guests never get."""

    node: Annotated[int, Field(description="Number of the NUMA cell.", ge=0, le=4095)]
    size: Annotated[PageSize, Field(description="Size of a page, for example 1Gi.")]
    count: Annotated[int, Field(description="How many pages.", ge=1, le=1073741824)]


class Reserved(CrdModel):
    """What guests never get of the host; what is left out, as the chart says."""

    memory_mib: Annotated[
        int | None,
        Field(
            alias="memoryMiB",
            description="Memory in MiB that guests never get.",
            ge=0,
            le=1073741824,
        ),
    ] = None
    vcpus: Annotated[
        int | None,
        Field(description="CPUs that guests never get.", ge=0, le=65536),
    ] = None
    disk_gib: Annotated[
        int | None,
        Field(
            alias="diskGiB",
            description="Disk in GiB that guests never get.",
            ge=0,
            le=16777216,
        ),
    ] = None
    hugepages: Annotated[
        tuple[ReservedPages, ...],
        Field(
            description="Pages that guests never get, by NUMA cell and size.",
            max_length=128,
            json_schema_extra=list_map("node", "size"),
        ),
    ] = ()


class AllocationRatios(CrdModel):
    """How often the host is given away; what is left out, as the chart says."""

    vcpu: Annotated[
        Ratio | None,
        Field(description='Virtual CPUs given away per CPU, as "4.0"; above 0.'),
    ] = None
    memory: Annotated[
        Ratio | None,
        Field(description='Memory given away per memory, as "1.0"; above 0.'),
    ] = None
    disk: Annotated[
        Ratio | None,
        Field(description='Disk given away per disk, as "1.0"; above 0.'),
    ] = None


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
    disabled: Annotated[
        bool,
        Field(
            description=(
                "True: no new Server is placed on the host; those that are there stay."
            )
        ),
    ] = False
    disabled_reason: Annotated[
        str | None,
        Field(
            description="Why the host is disabled, for people.",
            min_length=1,
            max_length=255,
        ),
    ] = None
    forced_down: Annotated[
        bool,
        Field(
            description=(
                "True: the host counts as down whatever its heartbeat says. Say so "
                "only of a host that is known to be off."
            )
        ),
    ] = False
    cpu: Annotated[
        HostCpuSets | None,
        Field(description="Which processors guests get, whole or shared."),
    ] = None
    reserved: Annotated[
        Reserved | None,
        Field(description="What guests never get; beside what Pods request."),
    ] = None
    allocation_ratios: Annotated[
        AllocationRatios | None,
        Field(
            description="How often each resource is given away.",
            json_schema_extra=cel(
                ratio_rule("vcpu"), ratio_rule("memory"), ratio_rule("disk")
            ),
        ),
    ] = None
    traits: Annotated[
        tuple[TraitName, ...],
        Field(
            description=(
                "Traits beside those that the agent reports: CUSTOM_ and a name of "
                "this site, or a standard one."
            ),
            max_length=128,
            json_schema_extra=list_set(),
        ),
    ] = ()
    resources: Annotated[
        tuple[
            Annotated[CustomInventory, Field(json_schema_extra=INVENTORY_RULES)], ...
        ],
        Field(
            description="Resources of this site that the host has, by class.",
            max_length=64,
            json_schema_extra=list_map("resourceClass"),
        ),
    ] = ()


COMPUTE_HOST_RULES = cel(
    (
        "!has(self.disabledReason) || (has(self.disabled) && self.disabled)",
        "disabledReason must come with disabled: true",
    ),
)
"""CEL rules of the spec as a whole."""
