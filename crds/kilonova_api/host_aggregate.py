"""HostAggregate: hosts that have something in common."""

from typing import Annotated, ClassVar

from pydantic import Field

from kilonova_api.label_selector import LabelSelector
from kilonova_api.meta import (
    AGE_COLUMN,
    READY_COLUMN,
    REASON_COLUMN,
    Column,
    Crd,
    CrdModel,
    KubeObject,
    ObjectName,
    Status,
    cel,
    list_map,
    list_set,
)
from kilonova_api.resources import INVENTORY_RULES, ClassInventory
from kilonova_api.scheduling import ZoneName

AggregateMetadata = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=255)],
        Annotated[str, Field(max_length=255)],
    ],
    Field(
        description=(
            "Keys and values that filters and weighers read by Nova's names, for "
            "example max_instances_per_host, filter_tenant_id or "
            "ram_weight_multiplier."
        ),
        max_length=128,
    ),
]


class HostAggregateSpec(CrdModel):
    """Which hosts, and what they have in common."""

    hosts: Annotated[
        tuple[ObjectName, ...],
        Field(
            description="ComputeHosts by name.",
            max_length=5000,
            json_schema_extra=list_set(),
        ),
    ] = ()
    host_selector: Annotated[
        LabelSelector | None,
        Field(
            description=(
                "ComputeHosts by label, beside those of hosts: by their own labels, "
                "and those of their Nodes that no kubelet can set (prefix "
                "node-restriction.kubernetes.io/). An empty selector is all hosts."
            )
        ),
    ] = None
    availability_zone: Annotated[
        ZoneName | None,
        Field(
            description=(
                "Makes the aggregate an availability zone; goes before the zone label "
                "of its hosts' Nodes. A host can be in one zone only."
            )
        ),
    ] = None
    metadata: AggregateMetadata = Field(default_factory=dict)
    shared_resources: Annotated[
        tuple[Annotated[ClassInventory, Field(json_schema_extra=INVENTORY_RULES)], ...],
        Field(
            description=(
                "Resources that all hosts of the aggregate take from together, for "
                "example DISK_GB of one storage (Placement: a provider with trait "
                "MISC_SHARES_VIA_AGGREGATE)."
            ),
            max_length=64,
            json_schema_extra=list_map("resourceClass"),
        ),
    ] = ()


HOST_AGGREGATE_RULES = cel(
    (
        "!has(self.metadata) || !('availability_zone' in self.metadata)",
        ("metadata must not hold availability_zone: set spec.availabilityZone instead"),
    ),
)
"""CEL rules of the spec as a whole."""


class HostAggregateStatus(Status):
    """What the operator says of an aggregate."""

    hosts: Annotated[
        int,
        Field(
            description="ComputeHosts that exist and belong to it.", ge=0, le=1000000
        ),
    ] = 0


class HostAggregate(KubeObject):
    """Hosts that have something in common: a zone, metadata, shared storage."""

    crd: ClassVar[Crd] = Crd(
        plural="hostaggregates",
        short_names=("nagg",),
        namespaced=False,
        columns=(
            Column("Zone", ".spec.availabilityZone", "Availability zone it makes."),
            Column("Hosts", ".status.hosts", "Number of hosts.", "integer"),
            READY_COLUMN,
            REASON_COLUMN,
            AGE_COLUMN,
        ),
    )

    spec: Annotated[
        HostAggregateSpec,
        Field(
            description="Which hosts, and what they have in common.",
            json_schema_extra=HOST_AGGREGATE_RULES,
        ),
    ] = HostAggregateSpec()
    status: HostAggregateStatus = HostAggregateStatus()
