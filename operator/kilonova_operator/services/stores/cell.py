"""A cell's database."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.order_book import Action, Booking, InstanceFault
from kilonova_operator.services.stores.epoch import PAGE_ROWS, EpochStore


class CellStore(EpochStore, Protocol):
    """A cell's database: the order book and the history."""

    async def book_instance(
        self, term: Term, booking: Booking, *, action: Action | None = None
    ) -> None:
        """Book the last order about a guest, with the action it belongs to (frozen).

        Raises:
            BookingOutdated: a newer placement generation is booked.
        """
        ...

    async def find_instance(self, instance_uuid: str) -> Booking | None:
        """Return the last order about a guest."""
        ...

    async def list_instances(
        self, *, host: str | None = None, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[Booking]:
        """List one page of bookings by uuid, those after ``after``."""
        ...

    async def forget_instance(
        self, term: Term, instance_uuid: str, *, action: Action | None = None
    ) -> None:
        """Remove a guest's booking; its history stays until swept (frozen)."""
        ...

    async def record_action(self, term: Term, action: Action) -> None:
        """Write or complete an action with its events."""
        ...

    async def list_actions(self, instance_uuid: str) -> Sequence[Action]:
        """List a guest's actions, newest first."""
        ...

    async def record_fault(self, term: Term, fault: InstanceFault) -> None:
        """Write a guest's failure."""
        ...

    async def list_faults(self, instance_uuid: str) -> Sequence[InstanceFault]:
        """List a guest's failures, newest first."""
        ...

    async def sweep_history(self, term: Term, *, older_than: timedelta) -> int:
        """Remove actions and faults older than that; returns how many."""
        ...
