"""What is tried again, how often, and what is said in the end."""

import sqlite3
from collections.abc import Iterator
from random import Random
from typing import Any

import pymysql
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from kilonova_api.kube.backoff import Backoff
from kilonova_operator.domain.refusals import ConcurrentUpdate, DatabaseUnavailable
from kilonova_operator.storage.sql.failures import Failure, classify, describe
from kilonova_operator.storage.sql.transactions import (
    RetrySettings,
    TransactionLost,
    Transactions,
)

BUSY = sqlite3.OperationalError("database is locked")
BUSY.sqlite_errorcode = sqlite3.SQLITE_BUSY_SNAPSHOT


def wrapped(cause: BaseException, *, invalidated: bool = False) -> DBAPIError:
    return OperationalError(
        "SELECT secret", {"p": "hidden"}, cause, connection_invalidated=invalidated
    )


def mysql_error(code: int) -> DBAPIError:
    return wrapped(pymysql.err.OperationalError(code, "said the server"))


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    yield engine
    engine.dispose()


class Scripted:
    """Fails as told, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.runs = 0

    def __call__(self, session: Session) -> str:
        del session
        self.runs += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def build(engine: Engine, pauses: list[float], **settings: Any) -> Transactions:
    return Transactions(
        "api",
        engine,
        settings=RetrySettings(backoff=Backoff(0.01, 0.1), **settings),
        random=Random(1),
        pause=pauses.append,
    )


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(mysql_error(1213), id="deadlock"),
        pytest.param(mysql_error(1205), id="lock wait timeout"),
        pytest.param(wrapped(BUSY), id="database is locked"),
        pytest.param(
            IntegrityError("INSERT", None, Exception("duplicate")), id="duplicate"
        ),
        pytest.param(
            TransactionLost(ConcurrentUpdate("hv1")), id="compare and swap lost"
        ),
    ],
)
def test_a_lost_race_is_run_again_with_growing_pauses(
    engine: Engine, error: Exception
) -> None:
    pauses: list[float] = []
    function = Scripted(error, error, error)
    assert build(engine, pauses).write(function) == "done"
    assert function.runs == 4
    assert len(pauses) == 3
    assert pauses[0] < pauses[2] <= 0.1


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(mysql_error(2013), id="lost connection"),
        pytest.param(mysql_error(2003), id="no connection"),
        pytest.param(mysql_error(1290), id="read-only after a fail-over"),
        pytest.param(wrapped(Exception("x"), invalidated=True), id="invalidated"),
        pytest.param(PoolTimeout("QueuePool limit"), id="no connection free"),
    ],
)
def test_a_lost_connection_is_tried_three_times(
    engine: Engine, error: Exception
) -> None:
    function = Scripted(error, error)
    assert build(engine, []).read(function) == "done"
    function = Scripted(error, error, error)
    with pytest.raises(DatabaseUnavailable, match="api"):
        build(engine, []).read(function)
    assert function.runs == 3


def test_conflicts_end_after_ten_attempts_with_the_callers_error(
    engine: Engine,
) -> None:
    lost = TransactionLost(ConcurrentUpdate("hv1"))
    function = Scripted(*[lost] * 20)
    with pytest.raises(ConcurrentUpdate, match="hv1"):
        build(engine, []).write(function)
    assert function.runs == 10


def test_nothing_is_tried_again_when_the_time_is_up(engine: Engine) -> None:
    function = Scripted(mysql_error(1213), mysql_error(1213))
    with pytest.raises(DatabaseUnavailable, match="1 attempts lost"):
        build(engine, [], budget_seconds=0.0).write(function)
    assert function.runs == 1


def test_a_missing_table_says_what_to_run(engine: Engine) -> None:
    function = Scripted(mysql_error(1146))
    with pytest.raises(DatabaseUnavailable, match="kilonova-manage db sync"):
        build(engine, []).read(function)
    assert function.runs == 1


def test_an_error_never_shows_statement_or_parameters(engine: Engine) -> None:
    with pytest.raises(DatabaseUnavailable) as unavailable:
        build(engine, []).read(Scripted(mysql_error(1064)))
    text = str(unavailable.value)
    assert "said the server" in text
    assert "SELECT" not in text
    assert "hidden" not in text
    assert unavailable.value.__cause__ is None


def test_other_errors_pass_as_they_are(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        build(engine, []).write(Scripted(ZeroDivisionError()))


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (sqlite3.SQLITE_BUSY, Failure.CONFLICT),
        (sqlite3.SQLITE_IOERR, Failure.CONNECTION),
        (sqlite3.SQLITE_CANTOPEN, Failure.CONNECTION),
        (sqlite3.SQLITE_FULL, Failure.OTHER),
        (sqlite3.SQLITE_CORRUPT, Failure.OTHER),
    ],
)
def test_sqlites_codes_are_told_apart(code: int, failure: Failure) -> None:
    cause = sqlite3.OperationalError("words")
    cause.sqlite_errorcode = code
    assert classify(wrapped(cause)) is failure
    assert describe(wrapped(cause)) == "OperationalError: words"
