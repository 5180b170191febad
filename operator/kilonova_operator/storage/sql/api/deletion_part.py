"""Deletion for coroutines."""

from datetime import timedelta
from functools import partial

from sqlalchemy.orm import Session

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.placement import (
    InstanceMapping,
    Released,
    ServerRef,
    Tombstone,
)
from kilonova_operator.storage.sql.api import deletes, mappings
from kilonova_operator.storage.sql.parts import StorePart


class DeletionPart(StorePart):
    """What is deleted, and what is given back."""

    async def note_object_generation(
        self, term: Term, server_uid: str, generation: int
    ) -> None:
        """Note the generation acted on."""

        def note(session: Session) -> None:
            deletes.note_object_generation(session, server_uid, generation)

        await self._database.write(term, note, while_frozen=True)

    async def record_delete(
        self, term: Term, server: ServerRef, *, retain: bool = False
    ) -> InstanceMapping | None:
        """Write the tombstone and queue the mapping."""
        return await self._database.write(
            term,
            partial(
                deletes.record_delete, server=server, retain=retain, now=self._utcnow()
            ),
        )

    async def release(
        self, term: Term, server_uid: str, placement_generation: int
    ) -> Released:
        """Give back what one placement holds."""
        now = self._utcnow()

        def release(session: Session) -> Released:
            return deletes.release(session, server_uid, placement_generation, now=now)

        return await self._database.write(term, release)

    async def finish_delete(self, term: Term, server_uid: str) -> bool:
        """Remove rows of a recorded delete that holds nothing."""
        return await self._database.write(
            term, partial(deletes.finish_delete, server_uid=server_uid)
        )

    async def forget_unplaced(self, term: Term, server_uid: str) -> bool:
        """Remove the rows of a Server in cell0."""
        return await self._database.write(
            term, partial(deletes.forget_unplaced, server_uid=server_uid)
        )

    async def find_tombstone(self, server_uid: str) -> Tombstone | None:
        """Return a Server's tombstone."""
        return await self._database.read(
            partial(mappings.find_tombstone, server_uid=server_uid)
        )

    async def sweep_tombstones(self, term: Term, *, older_than: timedelta) -> int:
        """Remove old tombstones."""
        before = self._utcnow() - older_than
        return await self._database.write(
            term, partial(deletes.sweep_tombstones, before=before)
        )
