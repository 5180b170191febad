"""Network and ClusterNetwork: what a guest's NIC is plugged into.

A tenant's Network is NAT on each host and names nothing of the host; a bridge
of the hosts comes only by an admin's ClusterNetwork, since whoever names the
management bridge is on the management network.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kilonova_api.meta import (
    AGE_COLUMN,
    READY_COLUMN,
    Column,
    Crd,
    CrdModel,
    KubeObject,
    Status,
    cel,
    list_atomic,
)

_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4_PATTERN = rf"^({_OCTET}\.){{3}}{_OCTET}$"
CIDR_PATTERN = rf"^({_OCTET}\.){{3}}{_OCTET}/([89]|1[0-9]|2[0-9])$"

Ipv4 = Annotated[str, Field(max_length=15, pattern=IPV4_PATTERN)]
Cidr = Annotated[str, Field(max_length=18, pattern=CIDR_PATTERN)]

DnsServers = Annotated[
    tuple[Ipv4, ...],
    Field(
        description="IPv4 addresses of DNS servers that guests are told of.",
        max_length=8,
        json_schema_extra=list_atomic(),
    ),
]


class NetworkSpec(CrdModel):
    """What a tenant says of a network."""

    type: Annotated[
        Literal["NAT"],
        Field(
            description=(
                "NAT: a libvirt network on each host that needs it. There is no "
                "traffic between guests on different hosts."
            ),
        ),
    ]
    cidr: Annotated[
        Cidr | None,
        Field(
            description=(
                "IPv4 range, /8 to /29. Without it one is taken from the chart's "
                "pool. A range that is in use makes the network Stalled: "
                "RangeInUse."
            ),
        ),
    ] = None
    dns_servers: DnsServers = ()


class AddressRange(CrdModel):
    """A range of addresses, both ends included."""

    start: Annotated[Ipv4, Field(description="First address of the range.")]
    end: Annotated[Ipv4, Field(description="Last address of the range.")]


class ClusterNetworkSpec(CrdModel):
    """What an admin says of a network of the hosts."""

    type: Annotated[
        Literal["Bridge"],
        Field(description="Bridge: guests join a bridge that exists on the hosts."),
    ]
    bridge: Annotated[
        str,
        Field(
            description="Name of the bridge, alike on every host.",
            min_length=1,
            max_length=15,
            pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$",
        ),
    ]
    cidr: Annotated[Cidr, Field(description="IPv4 range of the network, /8 to /29.")]
    gateway: Annotated[
        Ipv4 | None,
        Field(description="Default gateway that guests are told of; none if left out."),
    ] = None
    allocation_pools: Annotated[
        tuple[AddressRange, ...],
        Field(
            description=(
                "Ranges that addresses are taken from; the whole network if left "
                "out. A fixed address may lie outside of them."
            ),
            max_length=16,
            json_schema_extra=list_atomic(),
        ),
    ] = ()
    dns_servers: DnsServers = ()
    mtu: Annotated[
        int,
        Field(description="Largest packet in bytes.", ge=576, le=9216),
    ] = 1500


class NetworkStatus(Status):
    """What the operator says of a network."""

    cidr: Annotated[
        Cidr | None,
        Field(description="The IPv4 range that was given or taken from the pool."),
    ] = None
    network_id: Annotated[
        str | None,
        Field(
            description=(
                "Id of the network on the hosts: the uid of the first object of "
                "this name, for as long as its guests live."
            ),
            max_length=36,
        ),
    ] = None
    gateway: Annotated[
        Ipv4 | None, Field(description="Default gateway that guests are told of.")
    ] = None
    reach: Annotated[
        Literal["host", "l2"] | None,
        Field(
            description=(
                "How far guests reach each other: host (same host only) or l2 "
                "(all hosts on the bridge)."
            )
        ),
    ] = None
    used: Annotated[
        str | None,
        Field(
            description="Addresses in use and addresses in all, as 5/252.",
            max_length=32,
        ),
    ] = None


_COLUMNS = (
    Column("Type", ".spec.type", "NAT or Bridge."),
    Column("CIDR", ".status.cidr", "IPv4 range of the network."),
    Column(
        "Reach",
        ".status.reach",
        "host: guests on different hosts do not reach each other; l2: they do.",
    ),
    Column("Used", ".status.used", "Addresses in use and in all."),
    READY_COLUMN,
    AGE_COLUMN,
)


class Network(KubeObject):
    """A tenant's own network: NAT on each host, isolated from other networks."""

    crd: ClassVar[Crd] = Crd(
        plural="networks",
        short_names=("nnet",),
        namespaced=True,
        categories=("nova",),
        columns=_COLUMNS,
    )

    spec: Annotated[
        NetworkSpec,
        Field(
            description="The network that is asked for.",
            json_schema_extra=cel(
                (
                    (
                        "has(self.cidr) == has(oldSelf.cidr) && "
                        "(!has(self.cidr) || self.cidr == oldSelf.cidr)"
                    ),
                    "cidr is immutable: make a new network",
                ),
            ),
        ),
    ]
    status: NetworkStatus = NetworkStatus()


class ClusterNetwork(KubeObject):
    """A network of the hosts that Servers of every namespace may join."""

    crd: ClassVar[Crd] = Crd(
        plural="clusternetworks",
        short_names=("ncnet",),
        namespaced=False,
        columns=_COLUMNS,
    )

    spec: Annotated[
        ClusterNetworkSpec,
        Field(
            description="The network as it exists on the hosts.",
            json_schema_extra=cel(
                ("self.cidr == oldSelf.cidr", "cidr is immutable: make a new network"),
                (
                    "self.bridge == oldSelf.bridge",
                    "bridge is immutable: make a new network",
                ),
            ),
        ),
    ]
    status: NetworkStatus = NetworkStatus()
