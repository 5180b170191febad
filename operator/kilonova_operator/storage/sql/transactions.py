"""One transaction at a time, repeated where the database asks for it. Blocking.

The outcome of a commit whose answer was lost is unknown, so a transaction may
run again after it was done: every function that is given to ``run`` must give
the same answer then.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from time import monotonic, sleep
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from kilonova_api.kube.backoff import Backoff
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.storage.sql.engine import WRITER
from kilonova_operator.storage.sql.failures import Failure, classify, describe

T = TypeVar("T")


class TransactionLost(Exception):
    """Inside a transaction: a compare-and-swap failed, all of it must run again.

    ``final`` is raised when it keeps failing.
    """

    def __init__(self, final: KilonovaError) -> None:
        self.final = final
        super().__init__(str(final))


class ConflictsPersist(DatabaseUnavailable):
    """Every attempt was lost to others: the database answers, but not to this."""

    reason = DatabaseUnavailable.reason


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How often and how long a transaction is tried.

    conflicts: allocation_conflict_retry_count of Placement 16 is 10.
    """

    conflicts: int = 10
    connections: int = 3
    budget_seconds: float = 25.0
    backoff: Backoff = field(default=Backoff(first_seconds=0.01, most_seconds=1.0))


class Transactions:
    """Runs functions in transactions of one database; used by many threads."""

    def __init__(
        self,
        database: str,
        engine: Engine,
        *,
        settings: RetrySettings | None = None,
        random: Random | None = None,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._database = database
        self._reader = engine
        self._writer = engine.execution_options(**{WRITER: True})
        self._settings = settings or RetrySettings()
        self._random = random or Random()  # noqa: S311 - jitter, nothing secret
        self._pause = pause

    def read(self, function: Callable[[Session], T]) -> T:
        """Run a function that only reads."""
        return self._run(self._reader, function, self._settings)

    def write(
        self, function: Callable[[Session], T], *, conflicts: int | None = None
    ) -> T:
        """Run a function and commit what it did, or none of it.

        conflicts: how many lost races end it, where that is not the usual number.

        Raises:
            ConflictsPersist: the last of them, where no error of its own ends it.
        """
        settings = self._settings
        if conflicts is not None:
            settings = replace(settings, conflicts=conflicts)
        return self._run(self._writer, function, settings)

    def _run(
        self,
        engine: Engine,
        function: Callable[[Session], T],
        settings: RetrySettings,
    ) -> T:
        tries = _Tries(self._database, settings, began=monotonic())
        while True:
            try:
                return _run_once(engine, function)
            except TransactionLost as lost:
                tries.count(Failure.CONFLICT, lost.final)
            except SQLAlchemyError as error:
                tries.count(classify(error), error)
            self._pause(settings.backoff.delay(tries.failures, self._random))


def _run_once(engine: Engine, function: Callable[[Session], T]) -> T:
    # No autoflush, no expiry: a statement runs where it is written.
    sessions = Session(engine, autoflush=False, expire_on_commit=False)
    with sessions as session, session.begin():
        return function(session)


@dataclass(slots=True)
class _Tries:
    """Failures of one transaction so far, and when they are too many."""

    database: str
    settings: RetrySettings
    began: float
    failures: int = 0

    def count(self, kind: Failure, error: KilonovaError | SQLAlchemyError) -> None:
        """Count a failure; raise what the caller shall see if it was the last."""
        self.failures += 1
        most = {
            Failure.CONFLICT: self.settings.conflicts,
            Failure.CONNECTION: self.settings.connections,
        }.get(kind, 0)
        in_time = monotonic() - self.began < self.settings.budget_seconds
        if self.failures < most and in_time:
            return
        if isinstance(error, KilonovaError):
            raise error
        lost = kind is Failure.CONFLICT
        refusal = ConflictsPersist if lost else DatabaseUnavailable
        raise refusal(self.database, self._say(kind, error)) from None

    def _say(self, kind: Failure, error: SQLAlchemyError) -> str:
        if kind is Failure.SCHEMA:
            return f"{describe(error)}. Run: kilonova-manage db sync"
        if kind is Failure.CONFLICT:
            return f"{self.failures} attempts lost to others ({describe(error)})"
        return describe(error)
