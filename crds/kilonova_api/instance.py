"""Instance: what one host must run. Complete: its agent reads no other kind.

It is an order, written by the cell's link. Three fields keep stale writers
away: ``writer`` (the leader's term) and ``placementGeneration`` never go back,
and ``destroy`` is the only order to destroy. A missing Instance orders nothing.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from kilonova_api.instance_spec import INSTANCE_RULES, InstanceSpec
from kilonova_api.meta import (
    AGE_COLUMN,
    MAX_INT64,
    READY_COLUMN,
    Column,
    Crd,
    KubeObject,
    Status,
)
from kilonova_api.server_status import Fault, ServerState


class InstanceStatus(Status):
    """What the host's agent says of the guest."""

    state: Annotated[
        ServerState | None, Field(description="Nova's status of the guest.")
    ] = None
    task: Annotated[
        str | None, Field(description="What is being done now.", max_length=64)
    ] = None
    power_state: Annotated[
        str | None,
        Field(
            description="The guest's power: Running, Shutdown, Paused, Crashed.",
            max_length=32,
        ),
    ] = None
    placement_generation: Annotated[
        int,
        Field(
            description="Placement generation the agent last acted on.",
            ge=0,
            le=MAX_INT64,
            json_schema_extra={"format": "int64"},
        ),
    ] = 0
    built_at: Annotated[
        datetime | None, Field(description="When the root disk was finished.")
    ] = None
    build_id: Annotated[
        str | None,
        Field(description="The build id the disk was built for.", max_length=36),
    ] = None
    launched_at: Annotated[
        datetime | None, Field(description="When the guest first ran.")
    ] = None
    agent_version: Annotated[
        str | None, Field(description="Version of the agent.", max_length=64)
    ] = None
    fault: Annotated[Fault | None, Field(description="The last failure, if any.")] = (
        None
    )


class Instance(KubeObject):
    """What one host must run. Written by Kilonova alone, read by the host's agent."""

    crd: ClassVar[Crd] = Crd(
        plural="instances",
        short_names=("ninst",),
        namespaced=True,
        columns=(
            Column("Server", ".spec.server.name", "Name of the Server."),
            Column("Of", ".spec.server.namespace", "Namespace of the Server."),
            Column("Status", ".status.state", "Nova's status of the guest."),
            Column("Task", ".status.task", "What is being done now."),
            READY_COLUMN,
            Column(
                "Generation",
                ".spec.placementGeneration",
                "Placement generation.",
                "integer",
                wide=True,
            ),
            AGE_COLUMN,
        ),
    )

    spec: Annotated[
        InstanceSpec,
        Field(description="What the host must run.", json_schema_extra=INSTANCE_RULES),
    ]
    status: InstanceStatus = InstanceStatus()
