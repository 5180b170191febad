"""Instance.spec: the guest that a host must run, whole and resolved."""

from typing import Annotated, Literal

from pydantic import Field

from kilonova_api.flavor import FlavorSize
from kilonova_api.guest_numa import CpuNumbers, GuestNuma
from kilonova_api.image import ImageFile
from kilonova_api.meta import MAX_INT64, CrdModel, cel, immutable_optional, list_map
from kilonova_api.network import Cidr, DnsServers, Ipv4
from kilonova_api.resources import MAX_AMOUNT, ResourceClass
from kilonova_api.server_spec import Metadata, NicName, PowerState

_INT64 = {"format": "int64"}


class ServerIdentity(CrdModel):
    """The Server that the guest belongs to."""

    cluster: Annotated[
        str,
        Field(description="uid of the cluster's kube-system namespace.", max_length=64),
    ]
    namespace: Annotated[
        str, Field(description="Namespace of the Server.", max_length=63)
    ]
    name: Annotated[str, Field(description="Name of the Server.", max_length=253)]
    uid: Annotated[str, Field(description="uid of the Server.", max_length=64)]


class InstanceNic(CrdModel):
    """A NIC and the whole definition of its network."""

    name: Annotated[NicName, Field(description="Name of the NIC.")]
    network_id: Annotated[
        str,
        Field(description="Id of the network in the API database.", max_length=36),
    ]
    network: Annotated[
        str, Field(description="Kind and name of the network.", max_length=300)
    ]
    type: Annotated[
        Literal["NAT", "Bridge"], Field(description="How the network is made.")
    ]
    bridge: Annotated[
        str | None,
        Field(description="The host's bridge, for type Bridge.", max_length=15),
    ] = None
    cidr: Annotated[Cidr, Field(description="IPv4 range of the network.")]
    gateway: Annotated[Ipv4 | None, Field(description="Default gateway, if any.")] = (
        None
    )
    dns_servers: DnsServers = ()
    address: Annotated[Ipv4, Field(description="The NIC's IPv4 address.")]
    mac: Annotated[
        str,
        Field(
            description="The NIC's MAC address.",
            max_length=17,
            pattern=r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$",
        ),
    ]
    mtu: Annotated[
        int, Field(description="Largest packet in bytes.", ge=576, le=9216)
    ] = 1500
    port_security: Annotated[
        bool,
        Field(description="Whether the guest may only send as itself."),
    ]


class AuthorizedKey(CrdModel):
    """A public key, resolved."""

    name: Annotated[str, Field(description="Name of the key.", max_length=255)]
    public_key: Annotated[
        str, Field(description="The key in OpenSSH's one-line form.", max_length=16384)
    ]


class UserDataSecret(CrdModel):
    """The Secret of the same namespace that holds the user data."""

    name: Annotated[str, Field(description="Name of the Secret.", max_length=253)]
    sha256: Annotated[
        str,
        Field(
            description="SHA-256 of its key userData.",
            max_length=64,
            pattern=r"^[0-9a-f]{64}$",
        ),
    ]


class DestroyOrder(CrdModel):
    """The only order to destroy a guest."""

    placement_generation: Annotated[
        int,
        Field(
            description=(
                "Guests of this placement generation or an older one are "
                "destroyed; a newer one is left alone."
            ),
            ge=0,
            le=MAX_INT64,
            json_schema_extra=_INT64,
        ),
    ]
    reason: Annotated[
        str,
        Field(
            description="Why, for example ServerDeleted.", min_length=1, max_length=128
        ),
    ]


class SharedHold(CrdModel):
    """What the guest takes of a provider that hosts share."""

    provider: Annotated[
        str, Field(description="Name of the provider.", min_length=1, max_length=300)
    ]
    resource_class: Annotated[
        ResourceClass, Field(description="Placement's name of what is taken.")
    ]
    amount: Annotated[
        int, Field(description="How much of it the guest holds.", ge=1, le=MAX_AMOUNT)
    ]


class InstanceSpec(CrdModel):
    """What the host must run."""

    server: Annotated[ServerIdentity, Field(description="The Server it belongs to.")]
    cell: Annotated[str, Field(description="Cell of the host.", max_length=63)]
    host: Annotated[str, Field(description="The host itself.", max_length=253)]
    zone: Annotated[
        str | None, Field(description="Availability zone.", max_length=63)
    ] = None
    writer: Annotated[
        int,
        Field(
            description="Term of the leader that wrote it; it never goes back.",
            ge=0,
            le=MAX_INT64,
            json_schema_extra=_INT64,
        ),
    ]
    placement_generation: Annotated[
        int,
        Field(
            description="Raised with each claim of the Server; never goes back.",
            ge=1,
            le=MAX_INT64,
            json_schema_extra=_INT64,
        ),
    ]
    server_generation: Annotated[
        int,
        Field(
            description="metadata.generation of the Server that this order follows.",
            ge=0,
            le=MAX_INT64,
            json_schema_extra=_INT64,
        ),
    ] = 0
    build_id: Annotated[
        str,
        Field(
            description=(
                "A disk is built once for each build id, and never again without "
                "a new one."
            ),
            min_length=1,
            max_length=36,
        ),
    ]
    min_agent_version: Annotated[
        str,
        Field(
            description="An older agent leaves the guest alone.",
            max_length=32,
            pattern=r"^\d+\.\d+\.\d+$",
        ),
    ]
    power_state: Annotated[PowerState, Field(description="As in the Server's spec.")]
    flavor_name: Annotated[
        str, Field(description="Name of the flavor.", max_length=253)
    ]
    flavor: Annotated[
        FlavorSize, Field(description="The flavor as it was when placed.")
    ]
    shared_amounts: Annotated[
        tuple[SharedHold, ...],
        Field(
            description=(
                "What of the flavor is not taken of the host, but of what its "
                "aggregates share. The host does nothing with it; a lost database "
                "gets it back from here."
            ),
            max_length=64,
            json_schema_extra=list_map("provider", "resourceClass"),
        ),
    ] = ()
    image_name: Annotated[str, Field(description="Name of the image.", max_length=253)]
    image: Annotated[ImageFile, Field(description="The image's file.")]
    networks: Annotated[
        tuple[InstanceNic, ...],
        Field(
            description="The guest's NICs.",
            max_length=8,
            json_schema_extra=list_map("name"),
        ),
    ] = ()
    hostname: Annotated[
        str,
        Field(
            description="The guest's host name.",
            max_length=63,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        ),
    ]
    metadata: Metadata = Field(default_factory=dict)
    ssh_keys: Annotated[
        tuple[AuthorizedKey, ...],
        Field(
            description="Public keys that may log in.",
            max_length=16,
            json_schema_extra=list_map("name"),
        ),
    ] = ()
    user_data: Annotated[
        UserDataSecret | None,
        Field(description="Where the user data is; none if left out."),
    ] = None
    config_drive: Annotated[
        bool, Field(description="Whether the guest gets a config drive.")
    ] = True
    cpu_set: Annotated[
        CpuNumbers | None,
        Field(
            description=(
                "The host's processors, as 0-3,8, on which those of the guest run "
                "that have no place by spec.numa, and the emulator; all when left "
                "out. Fixed for a placement generation."
            )
        ),
    ] = None
    numa: Annotated[
        GuestNuma | None,
        Field(
            description=(
                "The guest's NUMA cells, pinned processors and page sizes; none when "
                "left out. Fixed for a placement generation."
            )
        ),
    ] = None
    destroy: Annotated[
        DestroyOrder | None,
        Field(description="The order to destroy the guest and its disks."),
    ] = None


def _fixed_with_placement(field: str) -> tuple[str, str]:
    """Return the CEL rule of what the scheduler chose together with the host."""
    unchanged, message = immutable_optional(field)
    return (
        f"self.placementGeneration > oldSelf.placementGeneration || ({unchanged})",
        f"{message} for a placementGeneration",
    )


INSTANCE_RULES = cel(
    ("self.writer >= oldSelf.writer", "writer must not go back"),
    (
        "self.placementGeneration >= oldSelf.placementGeneration",
        "placementGeneration must not go back",
    ),
    (
        "!has(oldSelf.destroy) || has(self.destroy)",
        "destroy must not be taken back",
    ),
    ("self.host == oldSelf.host", "host is immutable"),
    ("self.server.uid == oldSelf.server.uid", "server.uid is immutable"),
    _fixed_with_placement("cpuSet"),
    _fixed_with_placement("numa"),
)
