"""Who may write to a database, and whether the database is still the newest.

Every database has one epoch row. Taking a Lease raises its term; every write
compares the term and raises the tick in the same transaction. So a leader that
was paused writes nothing when it wakes, and a database restored from a backup
shows a tick below the one that the Lease remembers.
"""

from dataclasses import dataclass
from typing import Self

_NOTE_PARTS = 3


@dataclass(frozen=True, slots=True)
class Owner:
    """The installation that a database belongs to, for its whole life."""

    cluster_uid: str
    release: str
    """Namespace and name of the Helm release, as ``kilonova-system/kilonova``."""


@dataclass(frozen=True, slots=True)
class NotedTick:
    """What the Lease remembers of a database, kept in one annotation."""

    database_id: str
    term: int
    tick: int

    def to_annotation(self) -> str:
        """Return the annotation's value."""
        return f"{self.database_id}/{self.term}/{self.tick}"

    @classmethod
    def of_annotation(cls, value: str | None) -> Self | None:
        """Read the annotation; anything unreadable counts as nothing noted."""
        parts = (value or "").split("/")
        if len(parts) != _NOTE_PARTS or not (parts[1] + parts[2]).isdigit():
            return None
        return cls(database_id=parts[0], term=int(parts[1]), tick=int(parts[2]))


@dataclass(frozen=True, slots=True)
class Term:
    """The right to write to one database until somebody takes a newer one.

    ``number`` only grows and is ``Instance.spec.writer`` where the database is
    a cell's. ``nonce`` is random: after a restore the number may come again.
    """

    database: str
    database_id: str
    number: int
    nonce: str
    role: str
    holder: str


@dataclass(frozen=True, slots=True)
class EpochView:
    """The epoch row as it was read; ``frozen_reason`` is empty when not frozen."""

    database_id: str
    term: int
    tick: int
    role: str
    holder: str
    owner: Owner | None
    frozen_reason: str = ""
    frozen_message: str = ""
