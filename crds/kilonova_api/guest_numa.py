"""Where a guest's processors and memory are on its host, as the scheduler chose."""

from typing import Annotated

from pydantic import Field

from kilonova_api.meta import CrdModel, list_atomic, list_map

MAX_GUEST_CELLS = 64
_MAX_VCPU = 1023
_MAX_HOST_CPU = 65535

CpuNumbers = Annotated[
    str,
    Field(
        max_length=2048,
        pattern=r"^[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*$",
    ),
]
"""A set of processors without exceptions."""


class CpuPin(CrdModel):
    """One of the guest's processors, and the host's that it has for itself."""

    vcpu: Annotated[
        int, Field(description="The guest's number of it.", ge=0, le=_MAX_VCPU)
    ]
    host_cpu: Annotated[
        int, Field(description="The host's number of it.", ge=0, le=_MAX_HOST_CPU)
    ]


class GuestNumaCell(CrdModel):
    """A NUMA cell of the guest, on one of the host."""

    host_cell: Annotated[
        int,
        Field(
            description="Number of the host's cell, as libvirt has it.", ge=0, le=4095
        ),
    ]
    memory_mib: Annotated[
        int,
        Field(
            alias="memoryMiB",
            description="Memory of the guest's cell in MiB.",
            ge=1,
            le=16777216,
        ),
    ]
    vcpus: Annotated[
        CpuNumbers | None,
        Field(
            description=(
                "The guest's own numbers of the cell's processors, as 0-1; left out "
                "of a cell that is memory alone."
            )
        ),
    ] = None
    pins: Annotated[
        tuple[CpuPin, ...],
        Field(
            description="Processors of the cell that are pinned to one of the host's.",
            max_length=_MAX_VCPU + 1,
            json_schema_extra=list_map("vcpu"),
        ),
    ] = ()
    float_on: Annotated[
        CpuNumbers | None,
        Field(
            description=(
                "The host's processors on which the cell's others run; left out "
                "where all are pinned."
            )
        ),
    ] = None
    page_size_kib: Annotated[
        int | None,
        Field(
            alias="pageSizeKiB",
            description=(
                "Size in KiB of the pages that hold the cell's memory; the host's "
                "smallest when left out."
            ),
            ge=1,
            le=16777216,
        ),
    ] = None


class GuestNuma(CrdModel):
    """The guest's NUMA cells, and the processors that run the emulator."""

    cells: Annotated[
        tuple[GuestNumaCell, ...],
        Field(
            description="The guest's cells; the first is its cell 0.",
            min_length=1,
            max_length=MAX_GUEST_CELLS,
            json_schema_extra=list_atomic(),
        ),
    ]
    emulator_cpus: Annotated[
        CpuNumbers | None,
        Field(
            description=(
                "The host's processors on which the emulator's own threads run; "
                "those of the guest's processors when left out."
            )
        ),
    ] = None
