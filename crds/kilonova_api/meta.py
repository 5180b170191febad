"""What every kind has: object metadata, conditions, references, CRD facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from kilonova_api.kube.resources import Resource
from kilonova_api.names import API_VERSION, GROUP, VERSION

MAX_INT64 = 9_000_000_000_000_000_000
"""Bound of 64-bit numbers. The API server keeps bounds as float64: one it would
round shows as a change each time the CRD is applied."""


class CrdModel(BaseModel):
    """A part of a kind: camelCase on the wire, frozen in memory.

    Unknown fields are ignored on reading, since a newer CRD may serve more
    fields than this program knows. An error names the field and never shows what
    is in it: it goes to the log, and user data is nobody's business there.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    def wire(self) -> dict[str, Any]:
        """Return the object as the API server takes it: camelCase, no unset fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def list_map(*keys: str) -> dict[str, Any]:
    """Mark a list field as a map, merged by ``keys`` in server-side apply."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def list_set() -> dict[str, Any]:
    """Mark a list field as a set of scalars."""
    return {"x-kubernetes-list-type": "set"}


def list_atomic() -> dict[str, Any]:
    """Mark a list field as one value that has one owner."""
    return {"x-kubernetes-list-type": "atomic"}


def cel(*rules: tuple[str, str]) -> dict[str, Any]:
    """Return CEL validations: pairs of a rule and the message it fails with."""
    return {
        "x-kubernetes-validations": [
            {"rule": rule, "message": message} for rule, message in rules
        ]
    }


def immutable(field: str) -> dict[str, Any]:
    """Return the CEL rule of a required field that never changes."""
    return cel(("self == oldSelf", f"{field} is immutable"))


def immutable_optional(field: str) -> tuple[str, str]:
    """Return the CEL rule of an optional field; it stands on the object above it.

    On the field itself it would not see the field come or go.
    """
    now, before = f"self.{field}", f"oldSelf.{field}"
    return (
        f"has({now}) == has({before}) && (!has({now}) || {now} == {before})",
        f"{field} is immutable",
    )


@dataclass(frozen=True, slots=True)
class Column:
    """One column of ``kubectl get``; ``wide`` ones show with ``-o wide`` only."""

    title: str
    json_path: str
    description: str
    type: Literal["string", "integer", "boolean", "date"] = "string"
    wide: bool = False

    def in_wide(self) -> Column:
        """Return the column as one that shows with ``-o wide`` only."""
        return replace(self, wide=True)


@dataclass(frozen=True, slots=True)
class Crd:
    """What a CRD says of a kind beside its schema."""

    plural: str
    short_names: tuple[str, ...]
    namespaced: bool
    columns: tuple[Column, ...]
    categories: tuple[str, ...] = ()
    selectable_fields: tuple[str, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    """CEL rules of the object as a whole, which see its name: (rule, message)."""


class ObjectMeta(CrdModel):
    """The part of Kubernetes' object metadata that Kilonova reads."""

    name: str = ""
    namespace: str | None = None
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()


class Condition(CrdModel):
    """A condition as in metav1.Condition."""

    type: Annotated[
        str,
        Field(
            description="What is judged, in CamelCase, for example Ready.",
            max_length=316,
            min_length=1,
        ),
    ]
    status: Annotated[
        Literal["True", "False", "Unknown"],
        Field(description="Whether it holds: True, False or Unknown."),
    ]
    observed_generation: Annotated[
        int,
        Field(
            description="The metadata.generation this condition was judged on.",
            ge=-1,
            le=MAX_INT64,
            json_schema_extra={"format": "int64"},
        ),
    ] = 0
    last_transition_time: Annotated[
        datetime,
        Field(description="When the status last changed from one value to another."),
    ]
    reason: Annotated[
        str,
        Field(
            description="One CamelCase word for programs: why the status is so.",
            min_length=1,
            max_length=256,
            pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        ),
    ]
    message: Annotated[
        str,
        Field(
            description="A sentence for people: what happened and what to do.",
            max_length=4096,
        ),
    ] = ""


Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        description=(
            "Judgements by type. Ready is always there; Reconciling and Stalled "
            "only while they are True (kstatus)."
        ),
        max_length=16,
        json_schema_extra=list_map("type"),
    ),
]

ObservedGeneration = Annotated[
    int,
    Field(
        description=(
            "The metadata.generation that this status speaks of; -1 until the "
            "object was first seen."
        ),
        ge=-1,
        le=MAX_INT64,
        json_schema_extra={"format": "int64"},
    ),
]


class Status(CrdModel):
    """What every status has."""

    observed_generation: ObservedGeneration = -1
    conditions: Conditions = ()

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of that type, if it is there."""
        return next((c for c in self.conditions if c.type == type_), None)

    def is_true(self, type_: str) -> bool:
        """Tell whether the condition is there and True."""
        found = self.condition(type_)
        return found is not None and found.status == "True"


class KubeObject(CrdModel):
    """An object of one of our kinds."""

    crd: ClassVar[Crd]

    api_version: str = API_VERSION
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()

    @classmethod
    def resource(cls) -> Resource:
        """Return where the API server keeps this kind."""
        return Resource(
            group=GROUP,
            version=VERSION,
            plural=cls.crd.plural,
            kind=cls.__name__,
            namespaced=cls.crd.namespaced,
        )

    @property
    def key(self) -> str:
        """Return ``namespace/name``, or the name of a cluster-scoped object."""
        meta = self.metadata
        return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


ObjectName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
    ),
]


class LocalRef(CrdModel):
    """A reference to an object by name."""

    name: Annotated[
        ObjectName, Field(description="Name of the object that is referred to.")
    ]


class SecretKeyRef(CrdModel):
    """A reference to one key of a Secret in the same namespace."""

    name: Annotated[
        ObjectName, Field(description="Name of the Secret, in the same namespace.")
    ]
    key: Annotated[
        str,
        Field(
            description="Key of the Secret's data that holds the value.",
            min_length=1,
            max_length=253,
            pattern=r"^[-._a-zA-Z0-9]+$",
        ),
    ]


READY_COLUMN = Column(
    "Ready",
    '.status.conditions[?(@.type=="Ready")].status',
    "Whether what the spec asks for is so.",
)
REASON_COLUMN = Column(
    "Why",
    '.status.conditions[?(@.type=="Ready")].reason',
    "Reason of the Ready condition.",
    wide=True,
)
AGE_COLUMN = Column(
    "Age", ".metadata.creationTimestamp", "Time since the object was created.", "date"
)
