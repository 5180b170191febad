"""Flavor: the size of a guest."""

from typing import Annotated, ClassVar

from pydantic import Field

from kilonova_api.meta import (
    AGE_COLUMN,
    Column,
    Crd,
    CrdModel,
    KubeObject,
    Status,
)

ExtraSpecs = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=255)],
        Annotated[str, Field(max_length=255)],
    ],
    Field(
        description=(
            "Nova's extra specs by key. A key that is not implemented makes a "
            "Server of this flavor Stalled: UnsupportedExtraSpec."
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
    extra_specs: ExtraSpecs = Field(default_factory=dict)


class FlavorSpec(FlavorSize):
    """What an admin says of a flavor. Sizes never change: make a new flavor."""

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
            AGE_COLUMN,
        ),
    )

    spec: Annotated[
        FlavorSpec,
        Field(
            description="The size that is asked for.",
            json_schema_extra={
                "x-kubernetes-validations": [
                    rule
                    for name in ("vcpus", "ramMiB")
                    for rule in [
                        {
                            "rule": f"self.{name} == oldSelf.{name}",
                            "message": f"{name} is immutable: make a new flavor",
                        }
                    ]
                ]
                + [
                    {
                        "rule": (
                            f"(has(self.{name}) ? self.{name} : 0) == "
                            f"(has(oldSelf.{name}) ? oldSelf.{name} : 0)"
                        ),
                        "message": f"{name} is immutable: make a new flavor",
                    }
                    for name in ("rootGiB", "ephemeralGiB", "swapMiB")
                ]
            },
        ),
    ]
    status: FlavorStatus = FlavorStatus()


__all__ = ["ExtraSpecs", "Flavor", "FlavorSize", "FlavorSpec", "FlavorStatus"]
