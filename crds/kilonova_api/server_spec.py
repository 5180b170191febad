"""What a person asks of a Server."""

from typing import Annotated, Literal

from pydantic import Field

from kilonova_api.meta import (
    CrdModel,
    LocalRef,
    ObjectName,
    SecretKeyRef,
    immutable,
    list_map,
)
from kilonova_api.network import Ipv4
from kilonova_api.scheduling import (
    SERVER_SCHEDULING_RULES,
    SchedulingHints,
    ServerScheduling,
    ZoneName,
)

PowerState = Literal["Manual", "Running", "Stopped"]
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
        Field(
            description=(
                "Whether the guest gets a config drive (config-2): the only way to "
                "its user data, keys and metadata."
            )
        ),
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
    server_group_ref: Annotated[
        LocalRef | None,
        Field(description="The ServerGroup, of the same namespace, it belongs to."),
    ] = None
    availability_zone: Annotated[
        ZoneName | None,
        Field(
            description=(
                "The availability zone it must be in, now and after every move; any "
                "when left out."
            )
        ),
    ] = None
    scheduling_hints: Annotated[
        SchedulingHints | None,
        Field(description="Wishes about the host, read when the Server is placed."),
    ] = None
    scheduling: Annotated[
        ServerScheduling | None,
        Field(
            description=(
                "An admin's word on the host, for who may create servers/force-host."
            ),
            json_schema_extra=SERVER_SCHEDULING_RULES,
        ),
    ] = None
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
