"""A cell's store."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy.orm import Session

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.order_book import Action, Booking, InstanceFault
from kilonova_operator.services.stores import PAGE_ROWS
from kilonova_operator.storage.sql.cell import bookings, history
from kilonova_operator.storage.sql.parts import EpochPart


class SqlCellStore(EpochPart):
    """``services.stores.CellStore`` in SQL."""

    async def book_instance(
        self, term: Term, booking: Booking, *, action: Action | None = None
    ) -> None:
        """Book the last order about a guest."""
        now = self._utcnow()

        def book(session: Session) -> None:
            bookings.book(session, booking, now=now)
            if action is not None:
                history.record_action(session, action)

        await self._database.write(term, book)

    async def find_instance(self, instance_uuid: str) -> Booking | None:
        """Return the last order about a guest."""
        return await self._database.read(
            partial(bookings.find_booking, instance_uuid=instance_uuid)
        )

    async def list_instances(
        self, *, host: str | None = None, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[Booking]:
        """List one page of bookings."""
        return await self._database.read(
            partial(bookings.list_bookings, host=host, after=after, limit=limit)
        )

    async def forget_instance(
        self, term: Term, instance_uuid: str, *, action: Action | None = None
    ) -> None:
        """Remove a guest's booking."""

        def forget(session: Session) -> None:
            bookings.forget(session, instance_uuid)
            if action is not None:
                history.record_action(session, action)

        await self._database.write(term, forget)

    async def record_action(self, term: Term, action: Action) -> None:
        """Write or complete an action."""
        await self._database.write(
            term, partial(history.record_action, action=action), while_frozen=True
        )

    async def list_actions(self, instance_uuid: str) -> Sequence[Action]:
        """List a guest's actions."""
        return await self._database.read(
            partial(history.list_actions, instance_uuid=instance_uuid)
        )

    async def record_fault(self, term: Term, fault: InstanceFault) -> None:
        """Write a guest's failure."""
        await self._database.write(
            term, partial(history.record_fault, fault=fault), while_frozen=True
        )

    async def list_faults(self, instance_uuid: str) -> Sequence[InstanceFault]:
        """List a guest's failures."""
        return await self._database.read(
            partial(history.list_faults, instance_uuid=instance_uuid)
        )

    async def sweep_history(self, term: Term, *, older_than: timedelta) -> int:
        """Remove old actions and faults."""
        before = self._utcnow() - older_than
        return await self._database.write(term, partial(history.sweep, before=before))
