"""Selecting objects by their labels, as Kubernetes does."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from kilonova_api.meta import CrdModel, cel, list_atomic, list_set

_LABEL_KEY = (
    r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
LabelKey = Annotated[str, Field(min_length=1, max_length=317, pattern=_LABEL_KEY)]
LabelValue = Annotated[
    str,
    Field(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"),
]

REQUIREMENT_RULES = cel(
    (
        (
            "(self.operator in ['In', 'NotIn']) == "
            "(has(self.values) && self.values.size() > 0)"
        ),
        "values must be given with operator In or NotIn, and with no other",
    ),
)
"""CEL rules of one requirement."""


class LabelRequirement(CrdModel):
    """What must hold of one label."""

    key: Annotated[LabelKey, Field(description="Key of the label.")]
    operator: Annotated[
        Literal["In", "NotIn", "Exists", "DoesNotExist"],
        Field(description="How the label relates to the values."),
    ]
    values: Annotated[
        tuple[LabelValue, ...],
        Field(
            description="Values for In and NotIn; none for the others.",
            max_length=64,
            json_schema_extra=list_set(),
        ),
    ] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels fulfil it. NotIn holds where there is no label."""
        if self.operator == "Exists":
            return self.key in labels
        if self.operator == "DoesNotExist":
            return self.key not in labels
        found = labels.get(self.key)
        return (found in self.values) == (self.operator == "In")


class LabelSelector(CrdModel):
    """Labels to select by; all that is said must hold, and nothing said is all."""

    match_labels: Annotated[
        dict[
            Annotated[str, Field(min_length=1, max_length=317)],
            Annotated[str, Field(max_length=63)],
        ],
        Field(description="Labels with the values they must have.", max_length=64),
    ] = Field(default_factory=dict)
    match_expressions: Annotated[
        tuple[
            Annotated[LabelRequirement, Field(json_schema_extra=REQUIREMENT_RULES)],
            ...,
        ],
        Field(
            description="Requirements that must all hold.",
            max_length=64,
            json_schema_extra=list_atomic(),
        ),
    ] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels fulfil all of it."""
        equal = all(labels.get(k) == v for k, v in self.match_labels.items())
        return equal and all(r.matches(labels) for r in self.match_expressions)
