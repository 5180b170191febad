"""Server: a virtual machine as a person asks for it."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kilonova_api.flavor import FlavorSize
from kilonova_api.meta import (
    AGE_COLUMN,
    MAX_INT64,
    READY_COLUMN,
    Column,
    Crd,
    CrdModel,
    KubeObject,
    LocalRef,
    ObjectName,
    SecretKeyRef,
    Status,
    cel,
    immutable,
    list_map,
)
from kilonova_api.network import Ipv4

PowerState = Literal["Manual", "Running", "Stopped"]
ServerState = Literal["BUILD", "ACTIVE", "SHUTOFF", "ERROR", "DELETED", "UNKNOWN"]

NicName = Annotated[
    str,
    Field(min_length=1, max_length=15, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
]


class ImageRef(CrdModel):
    """The image that the root disk is built from."""

    kind: Annotated[
        Literal["Image", "ClusterImage"],
        Field(description="Image (of the same namespace) or ClusterImage."),
    ] = "Image"
    name: Annotated[ObjectName, Field(description="Name of the image.")]


class NetworkRef(CrdModel):
    """The network that a NIC is plugged into."""

    kind: Annotated[
        Literal["Network", "ClusterNetwork"] | None,
        Field(
            description=(
                "Network (of the same namespace; the meaning when left out) or "
                "ClusterNetwork."
            )
        ),
    ] = None
    name: Annotated[ObjectName, Field(description="Name of the network.")]


class ServerNic(CrdModel):
    """A NIC of the guest, in the guest's order."""

    name: Annotated[
        NicName, Field(description="Name of the NIC, unique within the Server.")
    ]
    network_ref: Annotated[
        NetworkRef, Field(description="The network it is plugged into.")
    ]
    fixed_address: Annotated[
        Ipv4 | None,
        Field(description="The IPv4 address to give; left out: a free one."),
    ] = None
    port_security: Annotated[
        Literal["Enabled", "Disabled"] | None,
        Field(
            description=(
                "Enabled (the meaning when left out): the guest can only send "
                "from its own MAC and address. Disabled: it may send as anyone."
            )
        ),
    ] = None


class SshKey(CrdModel):
    """A public key that may log in: given here, or kept in a Secret."""

    name: Annotated[
        str,
        Field(
            description="Name of the key, unique within the Server.",
            min_length=1,
            max_length=255,
            pattern=r"^[-_ @.a-zA-Z0-9]+$",
        ),
    ]
    public_key: Annotated[
        str | None,
        Field(
            description="The key in OpenSSH's one-line form.",
            min_length=1,
            max_length=16384,
        ),
    ] = None
    secret_ref: Annotated[
        SecretKeyRef | None,
        Field(description="The Secret's key that holds the public key."),
    ] = None


class DeletionSpec(CrdModel):
    """What may delete the Server, and what becomes of its guest then."""

    protected: Annotated[
        bool | None,
        Field(description="True: deleting the Server is refused."),
    ] = None
    policy: Annotated[
        Literal["Delete", "Retain"] | None,
        Field(
            description=(
                "Delete (the meaning when left out): the guest and its disks go. "
                "Retain: the guest goes on, belongs to nobody, and can be adopted."
            )
        ),
    ] = None


Metadata = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=255)],
        Annotated[str, Field(max_length=255)],
    ],
    Field(
        description=(
            "Names and values that the guest reads from its metadata. A change "
            "is seen by the guest from its next start on."
        ),
        max_length=128,
    ),
]


class ServerSpec(CrdModel):
    """What a person asks for."""

    flavor_ref: Annotated[
        LocalRef,
        Field(
            description="The Flavor that gives the guest's size.",
            json_schema_extra=immutable("flavorRef"),
        ),
    ]
    image_ref: Annotated[
        ImageRef,
        Field(
            description="The image that the root disk is built from.",
            json_schema_extra=immutable("imageRef"),
        ),
    ]
    networks: Annotated[
        tuple[ServerNic, ...],
        Field(
            description="The guest's NICs, each by a name of its own.",
            max_length=8,
            json_schema_extra=list_map("name"),
        ),
    ] = ()
    ssh_keys: Annotated[
        tuple[SshKey, ...],
        Field(
            description="Public keys that may log in, given at build.",
            max_length=16,
            json_schema_extra=list_map("name"),
        ),
    ] = ()
    user_data: Annotated[
        str | None,
        Field(
            description=(
                "User data for cloud-init, inline, 49151 bytes at most (65535 in "
                "base64). For anything secret use userDataRef."
            ),
            min_length=1,
            max_length=49151,
        ),
    ] = None
    user_data_ref: Annotated[
        SecretKeyRef | None,
        Field(description="The Secret's key that holds the user data."),
    ] = None
    metadata: Metadata = Field(default_factory=dict)
    config_drive: Annotated[
        bool,
        Field(description="Whether the guest gets a config drive (config-2)."),
    ] = True
    power_state: Annotated[
        PowerState,
        Field(
            description=(
                "Manual: start after build, then follow the guest. Running: kept "
                "running. Stopped: kept stopped."
            )
        ),
    ] = "Manual"
    deletion: Annotated[
        DeletionSpec | None,
        Field(description="Protection from deletion, and what deletion does."),
    ] = None
    suspend: Annotated[
        bool,
        Field(
            description=(
                "True: Kilonova leaves the Server and its guest as they are; "
                "the guest itself goes on."
            )
        ),
    ] = False


def _immutable_list(field: str) -> tuple[str, str]:
    """Return the CEL rule of an optional list-map whose items never change.

    Their order may: the API server does not keep it for lists of this type. An
    empty list is the same as none: tools that render one write the other.
    """
    now, before = f"self.{field}", f"oldSelf.{field}"
    same = (
        f"{now}.size() == {before}.size() && {now}.all(n, {before}.exists(o, o == n))"
    )
    rule = (
        f"(has({now}) && {now}.size() > 0) == (has({before}) && {before}.size() > 0)"
        f" && (!has({now}) || !has({before}) || ({same}))"
    )
    return rule, f"{field} is immutable"


SERVER_RULES = cel(
    (
        "!(has(self.userData) && has(self.userDataRef))",
        "userData and userDataRef must not both be set",
    ),
    (
        "!has(self.userData) || bytes(self.userData).size() <= 49151",
        (
            "userData must be no more than 49151 bytes: put more into a file that the "
            "guest downloads"
        ),
    ),
    _immutable_list("networks"),
    _immutable_list("sshKeys"),
    (
        (
            "!has(self.sshKeys) || "
            "self.sshKeys.all(k, has(k.publicKey) != has(k.secretRef))"
        ),
        "each of sshKeys must have either publicKey or secretRef",
    ),
)
"""CEL rules of the spec as a whole."""


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


class Rejection(CrdModel):
    """How many hosts failed at one constraint first."""

    constraint: Annotated[
        str,
        Field(
            description="The constraint, for example Capacity:MEMORY_MB.",
            max_length=128,
        ),
    ]
    hosts: Annotated[
        int, Field(description="Hosts that failed at it first.", ge=0, le=1000000)
    ]
    message: Annotated[
        str,
        Field(description="What it asked for, in one sentence.", max_length=512),
    ] = ""


class SchedulingRecord(CrdModel):
    """The last decision: hosts seen, and what removed the others."""

    hosts_considered: Annotated[
        int, Field(description="Hosts that were looked at, in all.", ge=0, le=1000000)
    ]
    hosts_left: Annotated[
        int, Field(description="Hosts that passed everything.", ge=0, le=1000000)
    ]
    rejections: Annotated[
        tuple[Rejection, ...],
        Field(
            description=(
                "Rejected hosts by the constraint each failed first; with "
                "hostsLeft they add up to hostsConsidered."
            ),
            max_length=64,
            json_schema_extra=list_map("constraint"),
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
