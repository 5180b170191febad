"""The epoch row: taking a term, and proving it in every write. Blocking."""

from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from kilonova_operator.domain.epoch import EpochView, NotedTick, Owner, Term
from kilonova_operator.domain.refusals import (
    DatabaseOwnedByOther,
    DatabaseUnavailable,
    PlacementFrozen,
    StaleTerm,
)
from kilonova_operator.storage.sql.epoch_row import EPOCH_ID, EpochColumns

WENT_BACK = "DatabaseWentBack"
REPLACED = "DatabaseReplaced"
_HOW_TO_GO_ON = (
    "Claims and addresses are being put right from Instances and host reports."
)

RowT = TypeVar("RowT", bound=EpochColumns)


class TickBehind(Exception):
    """The row's tick is lower than one this process has written or read."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The epoch row of one database."""

    database: str
    row: type[EpochColumns]

    def read(self, session: Session, *, lock: bool = False) -> EpochColumns:
        """Read the row, and keep others from changing it if ``lock``.

        Raises:
            DatabaseUnavailable: the schema is there, but the row is not.
        """
        query = select(self.row).where(self.row.id == EPOCH_ID)
        found = session.scalars(query.with_for_update() if lock else query).first()
        if found is None:
            raise DatabaseUnavailable(
                self.database, "its epoch row is missing. Run: kilonova-manage db sync"
            )
        return found

    def view(self, session: Session) -> EpochView:
        """Read the row as a value."""
        row = self.read(session)
        owned = bool(row.owner_cluster_uid or row.owner_release)
        return EpochView(
            database_id=row.database_id,
            term=row.term,
            tick=row.tick,
            role=row.role,
            holder=row.holder,
            owner=Owner(row.owner_cluster_uid, row.owner_release) if owned else None,
            frozen_reason=row.frozen_reason,
            frozen_message=row.frozen_message,
        )

    def take(
        self,
        session: Session,
        owner: Owner,
        *,
        role: str,
        holder: str,
        noted: NotedTick | None,
        above: int,
    ) -> tuple[Term, int]:
        """Begin a newer term; returns it with the tick.

        above: the new term is higher than this, whatever the row says.

        Raises:
            DatabaseOwnedByOther: another installation's; nothing is changed.
        """
        row = self.read(session, lock=True)
        self._check_owner(row, owner)
        known = noted if noted and noted.database_id == row.database_id else None
        if noted is not None:
            _freeze_if_behind(row, noted)
        row.owner_cluster_uid, row.owner_release = owner.cluster_uid, owner.release
        # Hosts go on under the terms they know, also when the database is another.
        row.term = max(row.term, noted.term if noted else 0, above) + 1
        # Above the noted tick from here on: the freeze flag remembers the rest.
        row.tick = max(row.tick, known.tick if known else 0) + 1
        row.nonce = str(uuid4())
        row.role, row.holder = role, holder
        session.flush()
        term = Term(
            database=self.database,
            database_id=row.database_id,
            number=row.term,
            nonce=row.nonce,
            role=role,
            holder=holder,
        )
        return term, row.tick

    def prove(
        self, session: Session, term: Term, *, tick: int, while_frozen: bool
    ) -> None:
        """Raise the tick if the term is the newest; one statement when all is well.

        tick: the lowest that the row can have if it never went back.

        Raises:
            StaleTerm, PlacementFrozen, TickBehind: nothing may be committed.
        """
        row = self.row
        change = update(row).where(
            row.id == EPOCH_ID,
            row.term == term.number,
            row.nonce == term.nonce,
            row.database_id == term.database_id,
            row.tick >= tick,
        )
        if not while_frozen:
            change = change.where(row.frozen_reason == "")
        if count_changed(session, change.values(tick=row.tick + 1)) != 1:
            self.explain(session, term, tick=tick, while_frozen=while_frozen)

    def explain(
        self, session: Session, term: Term, *, tick: int, while_frozen: bool
    ) -> None:
        """Raise what forbids this term to write; return if nothing does."""
        # Columns, not the object: the session may hold one from before.
        table = self.row
        row = session.execute(
            select(
                table.term,
                table.nonce,
                table.database_id,
                table.tick,
                table.holder,
                table.frozen_reason,
                table.frozen_message,
            ).where(table.id == EPOCH_ID)
        ).one()
        mine = (term.number, term.nonce, term.database_id)
        if (row.term, row.nonce, row.database_id) != mine:
            raise StaleTerm(self.database, term.number, row.term, row.holder)
        if row.tick < tick:
            raise TickBehind
        if row.frozen_reason and not while_frozen:
            raise PlacementFrozen(self.database, row.frozen_reason, row.frozen_message)

    def freeze(
        self, session: Session, term: Term, *, reason: str, message: str, tick: int = 0
    ) -> None:
        """Set the freeze flag; the first reason stays.

        tick: the row's tick becomes at least this.
        """
        row = self.read(session, lock=True)
        if (row.term, row.nonce) != (term.number, term.nonce):
            raise StaleTerm(self.database, term.number, row.term, row.holder)
        if not row.frozen_reason:
            row.frozen_reason, row.frozen_message = reason, message
        row.tick = max(row.tick, tick)
        session.flush()

    def unfreeze(self, session: Session) -> None:
        """Take the freeze flag off."""
        values = {"frozen_reason": "", "frozen_message": ""}
        session.execute(
            update(self.row).where(self.row.id == EPOCH_ID).values(**values)
        )

    def _check_owner(self, row: EpochColumns, owner: Owner) -> None:
        found = Owner(row.owner_cluster_uid, row.owner_release)
        if found not in (owner, Owner("", "")):
            raise DatabaseOwnedByOther(
                self.database, describe_owner(found), describe_owner(owner)
            )


def describe_owner(owner: Owner) -> str:
    """Return an owner as errors name it."""
    return f"release {owner.release} of cluster {owner.cluster_uid}"


def went_back_message(tick: int, seen: int) -> str:
    """Say that the database is older than it was."""
    return (
        f"its tick is {tick}, and {seen} was seen before: it was restored from a "
        f"backup. {_HOW_TO_GO_ON}"
    )


def count_changed(session: Session, statement: object) -> int:
    """Run an UPDATE or DELETE and return how many rows it met."""
    result = session.execute(
        statement,  # type: ignore[call-overload]
        execution_options={"synchronize_session": False},
    )
    if not isinstance(result, CursorResult):
        raise TypeError("not an UPDATE or DELETE")
    return result.rowcount


def _freeze_if_behind(row: EpochColumns, noted: NotedTick) -> None:
    if row.frozen_reason:
        return
    if noted.database_id != row.database_id:
        row.frozen_reason = REPLACED
        row.frozen_message = (
            f"it has id {row.database_id}, and the Lease knows {noted.database_id}: "
            f"it is another database. {_HOW_TO_GO_ON}"
        )
    elif row.tick < noted.tick:
        row.frozen_reason = WENT_BACK
        row.frozen_message = went_back_message(row.tick, noted.tick)
