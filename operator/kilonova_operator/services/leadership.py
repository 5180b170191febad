"""Which roles this process holds, and with which terms it may write.

A role is held under its Lease; holding it gives a term on each of the role's
databases. The Lease keeps a process that lost it from going on, as soon as it
notices; the term keeps one that did not notice from writing.
"""

import asyncio
import logging
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Mapping,
)
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import LeaseLost
from kilonova_api.kube.lease import LeaseElector, TakenLease
from kilonova_api.names import GROUP
from kilonova_operator.domain.epoch import NotedTick, Term
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.services.stores import EpochStore

logger = logging.getLogger(__name__)

_BACKOFF = Backoff(0.5, 5.0)


def tick_annotation(database: str) -> str:
    """Return the Lease annotation that remembers a database's tick."""
    return f"tick.{GROUP}/{database}"


Start = Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]]
"""Starts a task by name; an error of it ends the process."""


class ElectorFactory(Protocol):
    """Makes the elector of a role's Lease."""

    def __call__(
        self, role: str, annotations: Callable[[], Mapping[str, str]]
    ) -> LeaseElector:
        """Build it; ``annotations`` is asked at each renewal."""
        ...


@dataclass(frozen=True, slots=True)
class _WantedRole:
    name: str
    elector: LeaseElector
    notes: dict[str, str]
    """What the Lease remembers of each of the role's databases."""


@dataclass(slots=True)
class _HeldRole:
    elector: LeaseElector
    holding: asyncio.Task[Any]


class Leadership:
    """The Leases and terms of one process."""

    def __init__(
        self,
        build_elector: ElectorFactory,
        stores: Mapping[str, EpochStore],
        *,
        identity: str,
        clock: Clock,
        random: Random,
        find_highest_term: Callable[[str], int] = lambda database: 0,
        prepare: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """``stores``: all databases of the process's roles, by name.

        prepare: makes sure of a database before its first term.
        find_highest_term: the highest term on a database that objects carry; a
        lost Lease and a new database together remember none.
        """
        self._build_elector = build_elector
        self._stores = stores
        self._identity = identity
        self._clock = clock
        self._random = random
        self._find_highest_term = find_highest_term
        self._prepare = prepare
        self._held: dict[str, _HeldRole] = {}
        self._terms: dict[str, Term] = {}
        self._begun = {database: asyncio.Event() for database in stores}

    async def take(
        self,
        roles: Mapping[str, tuple[str, ...]],
        start: Start,
        *,
        may_lag: Collection[str] = (),
    ) -> None:
        """Wait for each role's Lease, then begin a term on each of its databases.

        One after the other: two processes that each held one would wait for each
        other for ever. But all are looked at from the beginning, so that taking
        over from a dead holder of all takes one lease time.

        roles: the databases of each role. ``start`` is given the tasks; the one
        that renews a Lease fails with LeaseLost. ``may_lag``: roles whose databases
        nobody waits for here; see ``wait_term``.
        """
        wanted = [self._build_wanted(role, names) for role, names in roles.items()]
        observers = {
            role.name: start(
                role.elector.observe(), f"look at the Lease of {role.name}"
            )
            for role in wanted[1:]
        }
        for role in wanted:
            logger.info("waiting for the Lease of role %s", role.name)
            if observer := observers.get(role.name):
                observer.cancel()
                await asyncio.wait((observer,))
            await self._take_one(role, start, may_lag=role.name in may_lag)
            logger.info("role %s is ours", role.name)

    async def wait_term(self, database: str) -> None:
        """Return once there is a term on a database of a role of ours."""
        await self._begun[database].wait()

    def term(self, database: str) -> Term:
        """Return the term on a database; KeyError if its role is not ours."""
        return self._terms[database]

    def find_term(self, database: str) -> Term | None:
        """Return the term on a database; None if its role is not ours."""
        return self._terms.get(database)

    def holds(self, role: str) -> bool:
        """Tell whether the role's Lease was taken and is not known to be lost."""
        held = self._held.get(role)
        return held is not None and not held.holding.done()

    def check(self, role: str) -> None:
        """Raise LeaseLost unless the role's Lease certainly is ours still."""
        held = self._held.get(role)
        if held is None:  # given back: the process is ending
            raise LeaseLost(role, "it was given back")
        held.elector.check()

    async def release(self) -> None:
        """Give all Leases back, so that a standby need not wait for their end."""
        held, self._held = self._held, {}
        for role in held.values():
            role.holding.cancel()
        await asyncio.gather(
            *(role.holding for role in held.values()), return_exceptions=True
        )
        for name, role in held.items():
            try:
                await role.elector.release()
            except Exception:
                # The Lease ends by itself; the others are to be given back too.
                logger.exception("the Lease of role %s was not given back", name)

    def _build_wanted(self, role: str, databases: tuple[str, ...]) -> _WantedRole:
        notes = dict.fromkeys(databases, "")
        elector = self._build_elector(role, lambda: self._annotations(notes))
        return _WantedRole(role, elector, notes)

    async def _take_one(
        self, role: _WantedRole, start: Start, *, may_lag: bool
    ) -> None:
        taken = await role.elector.acquire()
        role.notes.update(_noted(taken, role.notes))
        holding = start(role.elector.hold(), f"lease of {role.name}")
        self._held[role.name] = _HeldRole(role.elector, holding)
        for database, note in role.notes.items():
            if await self._try_term(role.name, database, note):
                continue
            retrying = self._retry_term(role.name, database, note)
            if may_lag:
                start(retrying, f"term on {database}")
            else:
                await retrying

    async def _retry_term(self, role: str, database: str, note: str) -> None:
        failures = 1
        while True:
            await self._clock.sleep(_BACKOFF.delay(failures, self._random))
            if await self._try_term(role, database, note):
                return
            failures += 1

    async def _try_term(self, role: str, database: str, note: str) -> bool:
        """Begin a term; False: the database cannot be used yet."""
        try:
            if self._prepare is not None:
                await self._prepare(database)
            self._terms[database] = await self._stores[database].take_term(
                role,
                self._identity,
                noted=NotedTick.of_annotation(note),
                above=self._find_highest_term(database),
            )
        except DatabaseUnavailable as error:
            logger.warning("no term on database %s yet: %s", database, error)
            return False
        self._begun[database].set()
        return True

    def _annotations(self, notes: Mapping[str, str]) -> Mapping[str, str]:
        """Note each database's tick; before its term is taken, what was noted."""
        return {
            tick_annotation(database): self._note(database, before)
            for database, before in notes.items()
            if database in self._terms or before
        }

    def _note(self, database: str, before: str) -> str:
        term = self._terms.get(database)
        if term is None:
            return before
        tick = self._stores[database].tick
        return NotedTick(term.database_id, term.number, tick).to_annotation()


def _noted(taken: TakenLease, databases: Iterable[str]) -> Mapping[str, str]:
    return {
        database: taken.annotations.get(tick_annotation(database), "")
        for database in databases
    }
