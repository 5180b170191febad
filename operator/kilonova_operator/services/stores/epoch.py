"""What every database has, whatever it is for."""

from typing import Protocol

from kilonova_operator.domain.epoch import EpochView, NotedTick, Term

PAGE_ROWS = 500
"""Rows of one page of a list."""


class EpochStore(Protocol):
    """What every database has: an owner, a term, a tick, and a freeze flag."""

    @property
    def tick(self) -> int:
        """The tick as far as this process knows it, without asking the database."""
        ...

    async def take_term(
        self,
        role: str,
        holder: str,
        *,
        noted: NotedTick | None = None,
        above: int = 0,
    ) -> Term:
        """Begin a newer term; every older one is over from here on.

        ``noted`` is what the Lease remembers. Where the database is behind it,
        or is another database, it is frozen in the same transaction; ask
        ``read_epoch`` afterwards. ``above`` is the highest term that objects are
        known to carry; the new one is above both, in any database.

        Raises:
            DatabaseOwnedByOther: another cluster or release owns the database.
        """
        ...

    async def read_epoch(self) -> EpochView:
        """Read the epoch row, freeze flag included."""
        ...

    async def freeze(self, term: Term, reason: str, message: str) -> None:
        """Stop claims, releases and deletes until ``unfreeze``; may run twice."""
        ...

    async def unfreeze(self, term: Term) -> None:
        """Let claims go on. The tick steps above everything noted before."""
        ...

    async def close(self) -> None:
        """Finish what runs, then close connections and threads."""
        ...
