"""Cell: a shard of hosts with a database of its own."""

from typing import Annotated, ClassVar

from pydantic import Field

from kilonova_api.meta import (
    AGE_COLUMN,
    MAX_INT64,
    READY_COLUMN,
    Column,
    Crd,
    CrdModel,
    KubeObject,
    Status,
)


class CellSpec(CrdModel):
    """What an admin says of a cell."""

    enabled: Annotated[
        bool,
        Field(
            description=(
                "False: no new Server is placed in this cell; those that are "
                "there stay. It takes effect at once."
            )
        ),
    ] = True


class CellStatus(Status):
    """What the operator says of a cell."""

    uuid: Annotated[
        str | None,
        Field(
            description="The cell's uuid in cell_mappings; all zeros for cell0.",
            max_length=36,
        ),
    ] = None
    database_id: Annotated[
        str | None,
        Field(
            description="Random id written into the cell's database at its birth.",
            max_length=36,
        ),
    ] = None
    schema_revision: Annotated[
        str | None,
        Field(description="Schema revision of the cell's database.", max_length=64),
    ] = None
    hosts: Annotated[
        int,
        Field(
            description="Number of hosts in the cell.",
            ge=0,
            le=1000000,
        ),
    ] = 0
    servers: Annotated[
        int,
        Field(
            description="Number of Servers in the cell.",
            ge=0,
            le=MAX_INT64,
            json_schema_extra={"format": "int64"},
        ),
    ] = 0


class Cell(KubeObject):
    """A shard of hosts with a database of its own; cell0 keeps what fits nowhere."""

    crd: ClassVar[Crd] = Crd(
        plural="cells",
        short_names=("ncell",),
        namespaced=False,
        rules=(
            (
                "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,46}[a-z0-9])?$')",
                (
                    "metadata.name must be a DNS label of no more than 48 characters: "
                    "Leases, labels and namespaces are named after it"
                ),
            ),
        ),
        columns=(
            Column(
                "Enabled", ".spec.enabled", "Whether it takes new Servers.", "boolean"
            ),
            Column("Hosts", ".status.hosts", "Number of hosts.", "integer"),
            Column("Servers", ".status.servers", "Number of Servers.", "integer"),
            READY_COLUMN,
            Column(
                "Schema",
                ".status.schemaRevision",
                "Schema revision of its database.",
                wide=True,
            ),
            AGE_COLUMN,
        ),
    )

    spec: Annotated[CellSpec, Field(description="How the cell is used.")] = CellSpec()
    status: CellStatus = CellStatus()
