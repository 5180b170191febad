"""Flavor: the size of a guest."""

from typing import Annotated, ClassVar

from pydantic import Field

from kilonova_api.flavor_features import (
    FlavorCpu,
    FlavorMemory,
    FlavorNuma,
    FlavorResources,
    FlavorTraits,
)
from kilonova_api.flavor_rules import FLAVOR_RULES, TRAITS_RULES
from kilonova_api.meta import (
    AGE_COLUMN,
    READY_COLUMN,
    REASON_COLUMN,
    Column,
    Crd,
    CrdModel,
    KubeObject,
    Status,
)

_Bag = dict[
    Annotated[str, Field(min_length=1, max_length=255)],
    Annotated[str, Field(max_length=255)],
]
ExtraSpecs = Annotated[
    _Bag,
    Field(
        description=(
            "Nova's extra specs by key, for what has no field of its own. A key that "
            "Nova does not know makes the flavor Stalled: UnknownExtraSpec."
        ),
        max_length=64,
    ),
]


class FlavorSize(CrdModel):
    """The amounts of a flavor; Servers and Instances keep a copy of them."""

    vcpus: Annotated[
        int,
        Field(
            description=(
                "Virtual CPUs of the guest. Counted as VCPU, which a host "
                "oversells by its allocation ratio (4.0 unless set)."
            ),
            ge=1,
            le=1024,
        ),
    ]
    ram_mib: Annotated[
        int,
        Field(
            alias="ramMiB",
            description="Memory of the guest in MiB. Counted as MEMORY_MB.",
            ge=1,
            le=16777216,
        ),
    ]
    root_gib: Annotated[
        int,
        Field(
            alias="rootGiB",
            description=(
                "Size of the root disk in GiB; 0 means the image's own size, for a "
                "ClusterImage only. Counted as DISK_GB."
            ),
            ge=0,
            le=65536,
        ),
    ] = 0
    ephemeral_gib: Annotated[
        int,
        Field(
            alias="ephemeralGiB",
            description="Size of an empty second disk in GiB; 0 means none.",
            ge=0,
            le=65536,
        ),
    ] = 0
    swap_mib: Annotated[
        int,
        Field(
            alias="swapMiB",
            description="Size of a swap disk in MiB; 0 means none.",
            ge=0,
            le=1048576,
        ),
    ] = 0
    extra_specs: Annotated[
        _Bag,
        Field(
            description="Nova's extra specs by key, the typed fields included.",
            max_length=256,
        ),
    ] = Field(default_factory=dict)


class FlavorSpec(FlavorSize):
    """What an admin says of a flavor. Sizes never change: make a new flavor."""

    extra_specs: ExtraSpecs = Field(default_factory=dict)
    cpu: Annotated[
        FlavorCpu | None,
        Field(description="How the guest's virtual CPUs run on the host's."),
    ] = None
    numa: Annotated[FlavorNuma | None, Field(description="The guest's NUMA nodes.")] = (
        None
    )
    memory: Annotated[
        FlavorMemory | None, Field(description="The guest's memory pages.")
    ] = None
    traits: Annotated[
        FlavorTraits | None,
        Field(
            description="Traits that a host must have, or must not.",
            json_schema_extra=TRAITS_RULES,
        ),
    ] = None
    resources: FlavorResources = Field(default_factory=dict)
    description: Annotated[
        str,
        Field(description="A sentence for people who choose a flavor.", max_length=255),
    ] = ""


class FlavorStatus(Status):
    """What the operator says of a flavor."""


class Flavor(KubeObject):
    """The size of a guest: virtual CPUs, memory, disks, extra specs."""

    crd: ClassVar[Crd] = Crd(
        plural="flavors",
        short_names=("nflv",),
        namespaced=False,
        columns=(
            Column("VCPUs", ".spec.vcpus", "Virtual CPUs of the guest.", "integer"),
            Column("RAM-MiB", ".spec.ramMiB", "Memory in MiB.", "integer"),
            Column("Root-GiB", ".spec.rootGiB", "Root disk in GiB.", "integer"),
            Column(
                "Ephemeral-GiB",
                ".spec.ephemeralGiB",
                "Second disk in GiB.",
                "integer",
                wide=True,
            ),
            Column(
                "Swap-MiB", ".spec.swapMiB", "Swap disk in MiB.", "integer", wide=True
            ),
            Column("CPU", ".spec.cpu.policy", "How virtual CPUs run."),
            Column("NUMA", ".spec.numa.nodes", "NUMA nodes.", "integer"),
            READY_COLUMN,
            REASON_COLUMN,
            AGE_COLUMN,
        ),
    )

    spec: Annotated[
        FlavorSpec,
        Field(
            description="The size that is asked for.",
            json_schema_extra=FLAVOR_RULES,
        ),
    ]
    status: FlavorStatus = FlavorStatus()


__all__ = ["ExtraSpecs", "Flavor", "FlavorSize", "FlavorSpec", "FlavorStatus"]
