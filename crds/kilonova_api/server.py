"""Server: a virtual machine as a person asks for it."""

from typing import Annotated, ClassVar

from pydantic import Field

from kilonova_api.meta import (
    AGE_COLUMN,
    READY_COLUMN,
    Column,
    Crd,
    KubeObject,
)
from kilonova_api.server_rules import SERVER_RULES
from kilonova_api.server_spec import ServerSpec
from kilonova_api.server_status import ServerStatus


class Server(KubeObject):
    """A virtual machine: flavor, image, networks, keys, user data, power state."""

    crd: ClassVar[Crd] = Crd(
        plural="servers",
        short_names=("nsrv",),
        namespaced=True,
        categories=("nova",),
        selectable_fields=(".status.host", ".status.cell"),
        rules=(
            (
                "self.metadata.name.size() <= 63",
                (
                    "metadata.name must be no more than 63 characters: it is the "
                    "guest's host name"
                ),
            ),
        ),
        columns=(
            Column("Status", ".status.state", "Nova's status."),
            Column("Task", ".status.task", "What is being done now."),
            READY_COLUMN,
            Column("Flavor", ".spec.flavorRef.name", "The Server's flavor."),
            Column("Address", ".status.address", "Its first address."),
            Column("Zone", ".status.zone", "Its availability zone."),
            Column("Why", ".status.why", "Why it is not Ready."),
            AGE_COLUMN,
            Column("Power", ".status.powerState", "The guest's power.", wide=True),
            Column("Host", ".status.host", "ComputeHost of the guest.", wide=True),
            Column("Cell", ".status.cell", "Cell of the host.", wide=True),
            Column("Image", ".spec.imageRef.name", "The Server's image.", wide=True),
        ),
    )

    spec: Annotated[
        ServerSpec,
        Field(description="What is asked for.", json_schema_extra=SERVER_RULES),
    ]
    status: ServerStatus = ServerStatus()
