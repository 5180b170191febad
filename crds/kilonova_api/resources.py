"""Placement's words: resource classes, traits, inventories.

Source: placement.objects.inventory and os_traits, os_resource_classes.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from kilonova_api.meta import CrdModel, cel

MAX_AMOUNT = 2_147_483_647
"""Placement keeps amounts in 32 bits."""

TraitName = Annotated[str, Field(max_length=240, pattern=r"^[A-Z][A-Z0-9_]*$")]
ResourceClass = Annotated[str, Field(max_length=240, pattern=r"^[A-Z][A-Z0-9_]*$")]
CustomResourceClass = Annotated[
    str, Field(max_length=240, pattern=r"^CUSTOM_[A-Z0-9_]+$")
]
Ratio = Annotated[str, Field(max_length=16, pattern=r"^[0-9]{1,5}(\.[0-9]{1,6})?$")]
"""A number as text: floats do not survive a round through every tool."""


def read_ratio(ratio: str | None) -> float | None:
    """Return the number that a ratio says, None where there is none."""
    return None if ratio is None else float(Decimal(ratio))


def ratio_rule(field: str) -> tuple[str, str]:
    """Return the CEL rule of an optional ratio: nothing fits into 0 times a host."""
    return (
        f"!has(self.{field}) || self.{field}.matches('[1-9]')",
        f'{field} must be a number above 0 in quotes, for example "4.0"',
    )


INVENTORY_RULES = cel(
    (
        "!has(self.reserved) || self.reserved <= self.total",
        "reserved must be no more than total",
    ),
    (
        (
            "!has(self.minUnit) || "
            "self.minUnit <= (has(self.maxUnit) ? self.maxUnit : self.total)"
        ),
        "minUnit must be no more than maxUnit (total where maxUnit is left out)",
    ),
    ratio_rule("allocationRatio"),
)
"""CEL rules of one inventory."""


class Inventory(CrdModel):
    """How much of a resource class there is, and in which amounts it is given."""

    total: Annotated[
        int, Field(description="How much there is in all.", ge=1, le=MAX_AMOUNT)
    ]
    reserved: Annotated[
        int | None,
        Field(
            description="How much of it guests never get; 0 when left out.",
            ge=0,
            le=MAX_AMOUNT,
        ),
    ] = None
    allocation_ratio: Annotated[
        Ratio | None,
        Field(
            description=(
                'How often what is not reserved is given away, as "1.5"; "1.0" when '
                "left out."
            )
        ),
    ] = None
    min_unit: Annotated[
        int | None,
        Field(
            description="The least that one Server may take; 1 when left out.",
            ge=1,
            le=MAX_AMOUNT,
        ),
    ] = None
    max_unit: Annotated[
        int | None,
        Field(
            description="The most that one Server may take; total when left out.",
            ge=1,
            le=MAX_AMOUNT,
        ),
    ] = None
    step_size: Annotated[
        int | None,
        Field(
            description="What an amount must be a multiple of; 1 when left out.",
            ge=1,
            le=MAX_AMOUNT,
        ),
    ] = None


class ClassInventory(Inventory):
    """The inventory of a resource class."""

    resource_class: Annotated[
        ResourceClass,
        Field(description="The resource class, for example DISK_GB or CUSTOM_FPGA."),
    ]


class CustomInventory(Inventory):
    """The inventory of a resource class of this site."""

    resource_class: Annotated[
        CustomResourceClass,
        Field(description="The resource class, CUSTOM_ and a name of this site."),
    ]
