"""What became of a Server: allocated things, and what is for people."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from kilonova_api.flavor import FlavorSize
from kilonova_api.meta import (
    MAX_INT64,
    CrdModel,
    Status,
    list_atomic,
    list_map,
)
from kilonova_api.network import Ipv4
from kilonova_api.server_spec import NicName

ServerState = Literal["BUILD", "ACTIVE", "SHUTOFF", "ERROR", "DELETED", "UNKNOWN"]


class NicStatus(CrdModel):
    """What a NIC was given."""

    name: Annotated[NicName, Field(description="Name of the NIC.")]
    network: Annotated[
        str, Field(description="Kind and name of its network.", max_length=300)
    ]
    address: Annotated[
        Ipv4 | None, Field(description="The IPv4 address that was given.")
    ] = None
    mac: Annotated[
        str,
        Field(
            description="The MAC address that was given.",
            max_length=17,
            pattern=r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$",
        ),
    ]


class SchedulingStage(CrdModel):
    """A constraint, and the hosts that failed at it first."""

    constraint: Annotated[
        str,
        Field(
            description="The constraint, for example Capacity:MEMORY_MB.",
            max_length=128,
        ),
    ]
    hosts_removed: Annotated[
        int, Field(description="Hosts that failed at it first.", ge=0, le=1000000)
    ]
    hosts_left: Annotated[
        int, Field(description="Hosts that were left after it.", ge=0, le=1000000)
    ]
    message: Annotated[
        str,
        Field(description="What it asked for, in one sentence.", max_length=512),
    ] = ""


class SchedulingRecord(CrdModel):
    """The last decision: hosts seen, and what removed the others. It names none."""

    hosts_considered: Annotated[
        int, Field(description="Hosts that were looked at, in all.", ge=0, le=1000000)
    ]
    hosts_left: Annotated[
        int, Field(description="Hosts that passed everything.", ge=0, le=1000000)
    ]
    stages: Annotated[
        tuple[SchedulingStage, ...],
        Field(
            description=(
                "Constraints in the order in which they were tried, each with the "
                "hosts it removed; with hostsLeft they add up to hostsConsidered."
            ),
            max_length=64,
            json_schema_extra=list_atomic(),
        ),
    ] = ()
    nearest_miss: Annotated[
        str | None,
        Field(
            description=(
                "What the host that came nearest lacks, as: one host lacks 512 MiB of "
                "memory; or what none of them can ever give."
            ),
            max_length=512,
        ),
    ] = None
    ignored_hints: Annotated[
        tuple[Annotated[str, Field(max_length=64)], ...],
        Field(
            description=(
                "Fields of spec.schedulingHints that counted for nothing: no enabled "
                "filter reads them, or no Server that differentHost names has a host."
            ),
            max_length=16,
            json_schema_extra=list_atomic(),
        ),
    ] = ()
    attempts: Annotated[
        int,
        Field(description="Hosts tried for the current build.", ge=0, le=1000),
    ] = 0


class Fault(CrdModel):
    """The last failure of an action, as Nova's fault."""

    reason: Annotated[
        str, Field(description="One CamelCase word for programs.", max_length=128)
    ]
    message: Annotated[
        str, Field(description="What failed and what to do.", max_length=1024)
    ]
    retryable: Annotated[
        bool,
        Field(description="Whether another host may succeed."),
    ] = False


class ServerStatus(Status):
    """What is so. Nothing in it is ever read as an order."""

    state: Annotated[
        ServerState | None,
        Field(description="Nova's status: BUILD, ACTIVE, SHUTOFF, ERROR, UNKNOWN."),
    ] = None
    task: Annotated[
        str | None,
        Field(
            description="What is being done now, for example spawning.", max_length=64
        ),
    ] = None
    power_state: Annotated[
        str | None,
        Field(
            description="The guest's power: Running, Shutdown, Paused, Crashed.",
            max_length=32,
        ),
    ] = None
    uuid: Annotated[
        str | None,
        Field(description="The guest's uuid; names its Instance.", max_length=36),
    ] = None
    cell: Annotated[
        str | None, Field(description="Cell of the host.", max_length=63)
    ] = None
    host: Annotated[
        str | None, Field(description="ComputeHost of the guest.", max_length=253)
    ] = None
    zone: Annotated[
        str | None,
        Field(description="Availability zone of the host.", max_length=63),
    ] = None
    placement_generation: Annotated[
        int,
        Field(
            description="Raised with each claim; the highest names the owner.",
            ge=0,
            le=MAX_INT64,
            json_schema_extra={"format": "int64"},
        ),
    ] = 0
    flavor: Annotated[
        FlavorSize | None,
        Field(description="The flavor as it was when the guest was placed."),
    ] = None
    address: Annotated[
        Ipv4 | None, Field(description="Address of the first NIC that has one.")
    ] = None
    nics: Annotated[
        tuple[NicStatus, ...],
        Field(
            description="What each NIC was given.",
            max_length=8,
            json_schema_extra=list_map("name"),
        ),
    ] = ()
    scheduling: Annotated[
        SchedulingRecord | None,
        Field(description="The last scheduling decision and its reasons."),
    ] = None
    fault: Annotated[Fault | None, Field(description="The last failure, if any.")] = (
        None
    )
    why: Annotated[
        str | None,
        Field(
            description="Why it is not Ready, in one word; empty when it is.",
            max_length=256,
        ),
    ] = None
    launched_at: Annotated[
        datetime | None, Field(description="When the guest first ran.")
    ] = None
    last_handled_reconcile_at: Annotated[
        str | None,
        Field(
            description="Echo of the annotation that asked for a reconcile.",
            max_length=128,
        ),
    ] = None
