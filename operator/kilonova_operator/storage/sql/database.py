"""One database for coroutines: a bounded executor, and the term in every write."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from kilonova_operator.domain.epoch import NotedTick, Owner, Term
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.refusals import DatabaseUnavailable, DatabaseWentBack
from kilonova_operator.storage.sql.epoch import (
    WENT_BACK,
    Epoch,
    TickBehind,
    went_back_message,
)
from kilonova_operator.storage.sql.transactions import Transactions

T = TypeVar("T")

MOST_WAITING = 1000
"""Calls that may wait for a thread; more than that is a fault, not a queue."""


@dataclass(slots=True)
class TickFloor:
    """The lowest tick the database can have if it never went back.

    Each committed write raised the tick by one, so counting commits needs no
    reading. A commit whose answer was lost is not counted: still a lower bound.
    """

    value: int = 0
    undercut: bool = False
    """The database was found below it: nothing more is written in this term."""
    _lock: Lock = field(default_factory=Lock)

    def reset(self, tick: int) -> None:
        """Begin a term: the tick was read."""
        with self._lock:
            self.value, self.undercut = tick, False

    def step(self) -> None:
        """Count a committed write."""
        with self._lock:
            self.value += 1


class Database:
    """Runs transactions of one database in threads of its own."""

    def __init__(
        self,
        engine: Engine,
        transactions: Transactions,
        epoch: Epoch,
        *,
        owner: Owner,
        threads: int,
    ) -> None:
        self.name = epoch.database
        self._engine = engine
        self._transactions = transactions
        self._epoch = epoch
        self._owner = owner
        self._floor = TickFloor()
        self._executor = ThreadPoolExecutor(threads, f"sql-{self.name}")
        self._waiting = 0

    @property
    def tick(self) -> int:
        """The tick as far as this process knows it."""
        return self._floor.value

    @property
    def epoch(self) -> Epoch:
        """The epoch row."""
        return self._epoch

    async def read(self, function: Callable[[Session], T]) -> T:
        """Run a function that only reads."""
        return await self._call(lambda: self._transactions.read(function))

    async def write(
        self,
        term: Term,
        function: Callable[[Session], T],
        *,
        while_frozen: bool = False,
        alone: bool = False,
        conflicts: int | None = None,
    ) -> T:
        """Run a function and commit it, if the term is still the newest.

        alone: no other write runs meanwhile. Without it the epoch row is
        touched last, so that writes wait for each other only at the commit.
        conflicts: how many lost races end it (Transactions.write).

        Raises:
            DatabaseWentBack: a backup was restored under this term; the
                database is frozen, and only a newer term may write again.
        """
        write = _Write(self._epoch, term, self._floor, while_frozen, alone, conflicts)
        return await self._call(lambda: self._write(write, function))

    async def take_term(
        self, role: str, holder: str, *, noted: NotedTick | None, above: int
    ) -> Term:
        """Begin a newer term."""

        def take(session: Session) -> tuple[Term, int]:
            return self._epoch.take(
                session,
                self._owner,
                role=role,
                holder=holder,
                noted=noted,
                above=above,
            )

        term, tick = await self._call(lambda: self._transactions.write(take))
        self._floor.reset(tick)
        return term

    async def close(self) -> None:
        """Finish what runs, then end threads and connections."""
        await asyncio.to_thread(self._executor.shutdown)
        self._engine.dispose()

    def _write(self, write: "_Write", function: Callable[[Session], T]) -> T:
        if not self._floor.undercut:
            try:
                done = self._transactions.write(
                    lambda session: write.run(session, function),
                    conflicts=write.conflicts,
                )
            except TickBehind:
                # Kept in mind first: the freeze may be made and its answer lost.
                self._floor.undercut = True
            else:
                self._floor.step()
                return done
        raise DatabaseWentBack(self.name, self._freeze(write.term))

    def _freeze(self, term: Term) -> str:
        seen = self._floor.value

        def freeze(session: Session) -> str:
            row = self._epoch.read(session, lock=True)
            self._epoch.freeze(
                session,
                term,
                reason=WENT_BACK,
                message=went_back_message(row.tick, seen),
                tick=seen + 1,
            )
            return row.frozen_message

        return self._transactions.write(freeze)

    async def _call(self, function: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise DatabaseUnavailable(self.name, f"{self._waiting} calls wait for it")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, function)
        finally:
            self._waiting -= 1


@dataclass(frozen=True, slots=True)
class _Write:
    """One write: the function's work and the proof of its term, together."""

    epoch: Epoch
    term: Term
    floor: TickFloor
    while_frozen: bool
    alone: bool
    conflicts: int | None

    def run(self, session: Session, function: Callable[[Session], T]) -> T:
        tick = self.floor.value
        if self.alone:
            self._prove(session, tick)
        try:
            done = function(session)
        except KilonovaError:
            # A stale leader shall not act on a refusal either.
            self.epoch.explain(
                session, self.term, tick=tick, while_frozen=self.while_frozen
            )
            raise
        if not self.alone:
            self._prove(session, tick)
        return done

    def _prove(self, session: Session, tick: int) -> None:
        self.epoch.prove(session, self.term, tick=tick, while_frozen=self.while_frozen)
