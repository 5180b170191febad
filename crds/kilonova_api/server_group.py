"""ServerGroup: Servers that belong together, or apart."""

from datetime import datetime
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
    immutable,
    immutable_optional,
    list_set,
)
from kilonova_api.scheduling import ZoneName

GroupPolicy = Literal["Affinity", "AntiAffinity", "SoftAffinity", "SoftAntiAffinity"]
Topology = Literal["Host", "Zone"]


class ServerGroupSpec(CrdModel):
    """How the Servers that name the group are placed."""

    policy: Annotated[
        GroupPolicy,
        Field(
            description=(
                "Affinity: all members in one domain. AntiAffinity: no more than "
                "maxPerDomain in each. SoftAffinity and SoftAntiAffinity: the same "
                "where it can be had."
            ),
            json_schema_extra=immutable("policy"),
        ),
    ]
    topology: Annotated[
        Topology,
        Field(
            description=(
                "What a domain is. Host: a ComputeHost, as in Nova. Zone: an "
                "availability zone."
            ),
            json_schema_extra=immutable("topology"),
        ),
    ] = "Host"
    max_per_domain: Annotated[
        int | None,
        Field(
            description=(
                "Members that one domain may hold, with policy AntiAffinity; 1 when "
                "left out."
            ),
            ge=1,
            le=1000,
        ),
    ] = None
    min_members: Annotated[
        int | None,
        Field(
            description=(
                "All or nothing: no member is placed before so many exist and fit "
                "at once; those that have a host count. Where more wait than fit, "
                "the oldest that suffice go first, then the others one by one. When "
                "left out each is placed by itself."
            ),
            ge=1,
            le=1000,
        ),
    ] = None
    schedule_timeout_seconds: Annotated[
        int,
        Field(
            description=(
                "With minMembers: how long members wait for each other, and for "
                "hosts, before they are Stalled. They hold no claim meanwhile."
            ),
            ge=1,
            le=86400,
        ),
    ] = 300


class ServerGroupStatus(Status):
    """What the operator says of a group. It names no host."""

    members: Annotated[
        int,
        Field(
            description="Servers that name the group and are not being deleted.",
            ge=0,
            le=1000000,
        ),
    ] = 0
    placed_members: Annotated[
        int,
        Field(description="Members that have a host.", ge=0, le=1000000),
    ] = 0
    placed: Annotated[
        str | None,
        Field(
            description="Members that have a host and members in all, as 2/3.",
            max_length=32,
        ),
    ] = None
    domain_count: Annotated[
        int,
        Field(
            description="Hosts or zones, by topology, that hold members.",
            ge=0,
            le=1000000,
        ),
    ] = 0
    zones: Annotated[
        tuple[ZoneName, ...],
        Field(
            description="With topology Zone: the zones that hold members.",
            max_length=64,
            json_schema_extra=list_set(),
        ),
    ] = ()
    domains: Annotated[
        str | None,
        Field(
            description=(
                "With topology Zone the zones that hold members, as az1,az2; with "
                "Host their number: which hosts they are is not for tenants."
            ),
            max_length=256,
        ),
    ] = None
    waiting_since: Annotated[
        datetime | None,
        Field(description="With minMembers: since when members wait for each other."),
    ] = None


class ServerGroup(KubeObject):
    """Servers of one namespace that are placed together, or apart."""

    crd: ClassVar[Crd] = Crd(
        plural="servergroups",
        short_names=("nsg",),
        namespaced=True,
        categories=("nova",),
        columns=(
            Column("Policy", ".spec.policy", "How members are placed."),
            Column("Spread", ".spec.topology", "What a domain is: Host or Zone."),
            Column("Members", ".status.placed", "Members with a host, and in all."),
            Column("Domains", ".status.domains", "Zones, or number of hosts."),
            READY_COLUMN,
            AGE_COLUMN,
        ),
    )

    spec: Annotated[
        ServerGroupSpec,
        Field(
            description="How members are placed.",
            json_schema_extra=cel(
                (
                    "!has(self.maxPerDomain) || self.policy == 'AntiAffinity'",
                    "maxPerDomain must come with policy AntiAffinity alone",
                ),
                immutable_optional("maxPerDomain"),
                immutable_optional("minMembers"),
            ),
        ),
    ]
    status: ServerGroupStatus = ServerGroupStatus()
