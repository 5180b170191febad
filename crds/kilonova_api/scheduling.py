"""What a person may say of where a Server goes."""

from typing import Annotated

from pydantic import Field

from kilonova_api.meta import CrdModel, ObjectName, cel, list_set
from kilonova_api.network import Ipv4

ZoneName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=63,
        pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
    ),
]
ServerName = Annotated[
    str,
    Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"),
]


class NearHost(CrdModel):
    """A network of hosts' addresses to be in: Nova's build_near_host_ip and cidr."""

    address: Annotated[
        Ipv4, Field(description="IPv4 address of a host, or any of its network.")
    ]
    prefix_length: Annotated[
        int,
        Field(
            description="How many leading bits make the network: 24 for /24.",
            ge=0,
            le=32,
        ),
    ] = 24


class SchedulingHints(CrdModel):
    """Wishes of a tenant, read when the Server is placed: Nova's scheduler hints."""

    same_host: Annotated[
        tuple[ServerName, ...],
        Field(
            description=(
                "Servers of this namespace: only a host that holds one of them (needs "
                "SameHostFilter)."
            ),
            max_length=64,
            json_schema_extra=list_set(),
        ),
    ] = ()
    different_host: Annotated[
        tuple[ServerName, ...],
        Field(
            description=(
                "Servers of this namespace: no host that holds one of them (needs "
                "DifferentHostFilter)."
            ),
            max_length=64,
            json_schema_extra=list_set(),
        ),
    ] = ()
    near_host: Annotated[
        NearHost | None,
        Field(
            description=(
                "Only hosts whose address is in this network (needs "
                "SimpleCIDRAffinityFilter)."
            )
        ),
    ] = None
    query: Annotated[
        str | None,
        Field(
            description=(
                "A condition on hosts in Nova's JSON form, for example "
                '[">=", "$free_ram_mb", 1024], of at most 128 operators and '
                "arguments (needs JsonFilter)."
            ),
            min_length=2,
            max_length=4096,
        ),
    ] = None


class ServerScheduling(CrdModel):
    """An admin's word on the host. It needs the right to create servers/force-host."""

    forced_host: Annotated[
        ObjectName | None,
        Field(
            description=(
                "The ComputeHost to use whatever the filters say; its capacity still "
                "counts. For who may create servers/force-host."
            )
        ),
    ] = None
    requested_host: Annotated[
        ObjectName | None,
        Field(
            description=(
                "The ComputeHost to use if all filters agree. For who may create "
                "servers/force-host."
            )
        ),
    ] = None


SERVER_SCHEDULING_RULES = cel(
    (
        "!(has(self.forcedHost) && has(self.requestedHost))",
        "forcedHost and requestedHost must not both be set",
    ),
)
"""CEL rules of an admin's word on the host."""
