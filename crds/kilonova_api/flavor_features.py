"""What a flavor asks for beside amounts: typed forms of Nova's extra specs."""

from typing import Annotated, Literal

from pydantic import Field

from kilonova_api.cpu_set import CPU_SET_PATTERN
from kilonova_api.meta import CrdModel, cel, list_set
from kilonova_api.resources import TraitName

_MAX_AMOUNT = 2_147_483_647


class CpuTopology(CrdModel):
    """The processors that the guest sees; hw:cpu_sockets and so on."""

    sockets: Annotated[
        int | None,
        Field(description="CPU sockets (hw:cpu_sockets).", ge=1, le=1024),
    ] = None
    cores: Annotated[
        int | None,
        Field(description="Cores of a socket (hw:cpu_cores).", ge=1, le=1024),
    ] = None
    threads: Annotated[
        int | None,
        Field(description="Threads of a core (hw:cpu_threads).", ge=1, le=1024),
    ] = None


class FlavorCpu(CrdModel):
    """How the guest's virtual CPUs run on the host's."""

    policy: Annotated[
        Literal["Shared", "Dedicated", "Mixed"] | None,
        Field(
            description=(
                "Shared: among the host's shared CPUs. Dedicated: each on a CPU of "
                "its own. Mixed: those of dedicatedMask so (hw:cpu_policy)."
            )
        ),
    ] = None
    threads: Annotated[
        Literal["Prefer", "Isolate", "Require"] | None,
        Field(
            description=(
                "Whether dedicated CPUs may, must not or must be threads of one core "
                "(hw:cpu_thread_policy)."
            )
        ),
    ] = None
    dedicated_mask: Annotated[
        Annotated[str, Field(max_length=255, pattern=CPU_SET_PATTERN)] | None,
        Field(
            description=(
                "With policy Mixed: the guest's CPUs that are dedicated, as 0-1 or "
                "^2 (hw:cpu_dedicated_mask)."
            )
        ),
    ] = None
    emulator_threads: Annotated[
        Literal["Share", "Isolate"] | None,
        Field(
            description=(
                "Where QEMU's own threads run. Share: on the host's shared CPUs. "
                "Isolate: on one more dedicated CPU (hw:emulator_threads_policy)."
            )
        ),
    ] = None
    topology: Annotated[
        CpuTopology | None,
        Field(description="The sockets, cores and threads that the guest sees."),
    ] = None


class FlavorNuma(CrdModel):
    """The guest's NUMA nodes."""

    nodes: Annotated[
        int,
        Field(
            description=(
                "NUMA nodes of the guest, each in one of the host's (hw:numa_nodes)."
            ),
            ge=1,
            le=64,
        ),
    ]


class FlavorMemory(CrdModel):
    """The guest's memory pages."""

    page_size: Annotated[
        str,
        Field(
            description=(
                "Small, Large, Any, or a size such as 2Mi or 1Gi (hw:mem_page_size)."
            ),
            max_length=8,
            pattern=r"^(Small|Large|Any|[1-9][0-9]{0,5}(Ki|Mi|Gi))$",
        ),
    ]


class FlavorTraits(CrdModel):
    """Traits that a host must have, or must not."""

    required: Annotated[
        tuple[TraitName, ...],
        Field(
            description="Traits that a host must have (trait:NAME=required).",
            max_length=32,
            json_schema_extra=list_set(),
        ),
    ] = ()
    forbidden: Annotated[
        tuple[TraitName, ...],
        Field(
            description="Traits that a host must not have (trait:NAME=forbidden).",
            max_length=32,
            json_schema_extra=list_set(),
        ),
    ] = ()


FlavorResources = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=240)],
        Annotated[int, Field(ge=0, le=_MAX_AMOUNT)],
    ],
    Field(
        description=(
            "Amounts by resource class, beside or instead of those that the sizes "
            "make; 0 takes one out (resources:CLASS)."
        ),
        max_length=32,
        json_schema_extra=cel(
            (
                "self.all(c, c.matches('^[A-Z][A-Z0-9_]*$'))",
                "resources must be named by resource classes, as CUSTOM_FPGA",
            )
        ),
    ),
]
