"""What the stores are put together from."""

from collections.abc import Callable
from datetime import datetime

from kilonova_operator.domain.epoch import EpochView, NotedTick, Term
from kilonova_operator.storage.sql.database import Database


class StorePart:
    """One subject of a store; all parts of a store share its database."""

    def __init__(self, database: Database, utcnow: Callable[[], datetime]) -> None:
        self._database = database
        self._utcnow = utcnow


class EpochPart(StorePart):
    """Term, tick and freeze flag."""

    @property
    def tick(self) -> int:
        """The tick as far as this process knows it."""
        return self._database.tick

    async def take_term(
        self,
        role: str,
        holder: str,
        *,
        noted: NotedTick | None = None,
        above: int = 0,
    ) -> Term:
        """Begin a newer term."""
        return await self._database.take_term(role, holder, noted=noted, above=above)

    async def read_epoch(self) -> EpochView:
        """Read the epoch row."""
        return await self._database.read(self._database.epoch.view)

    async def freeze(self, term: Term, reason: str, message: str) -> None:
        """Stop claims, releases and deletes."""
        epoch = self._database.epoch
        await self._database.write(
            term,
            lambda session: epoch.freeze(session, term, reason=reason, message=message),
            while_frozen=True,
        )

    async def unfreeze(self, term: Term) -> None:
        """Let claims go on."""
        epoch = self._database.epoch
        await self._database.write(term, epoch.unfreeze, while_frozen=True)

    async def close(self) -> None:
        """End threads and connections."""
        await self._database.close()
