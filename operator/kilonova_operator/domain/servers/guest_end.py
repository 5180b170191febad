"""How the order book says that a guest is proven gone.

The cell alone judges that, since it alone gives the guest's orders: after its
word no order of its own is under way any more. Super releases on that word.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kilonova_operator.domain.order_book import Booking
from kilonova_operator.domain.placement import InstanceMapping

GONE = "gone"
ORDERED = "ordered"


def is_proven_gone(booking: Booking | None, mapping: InstanceMapping) -> bool:
    """Tell whether the cell has said so of the mapping's newest placement."""
    return (
        booking is not None
        and booking.state == GONE
        and booking.placement_generation >= mapping.placement_generation
    )


def build_gone(booking: Booking | None, mapping: InstanceMapping) -> Booking:
    """Build the booking that says so; there may have been none."""
    if booking is not None:
        generation = max(booking.placement_generation, mapping.placement_generation)
        return replace(booking, state=GONE, placement_generation=generation)
    server_spec: Mapping[str, Any] = {}
    return Booking(
        instance_uuid=mapping.instance_uuid,
        server=mapping.server,
        host=mapping.host,
        placement_generation=mapping.placement_generation,
        object_generation=mapping.object_generation,
        instance_spec=None,
        server_spec=server_spec,
        state=GONE,
    )
