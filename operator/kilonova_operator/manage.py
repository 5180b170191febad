"""``kilonova-manage``: what is done by hand or before the operator starts.

``db sync`` makes databases and migrates them, ``db check`` and ``db version``
tell where they are, ``db disown`` frees one from an installation that is gone.
The other subjects ask the operator that runs in the same pod; each reads its
request from standard input and prints the answer, both as one line of JSON.
``placement audit`` compares claims, Servers and quota usage while work goes on.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import monotonic, sleep

from sqlalchemy.exc import DBAPIError

from kilonova_api.admin import ADMIN_VERBS
from kilonova_api.names import CELL0
from kilonova_api.settings import BadSettings, read_settings
from kilonova_operator.admin_client import answer_request
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.settings import API_DATABASE, Settings
from kilonova_operator.storage.sql.api.audits import audit
from kilonova_operator.storage.sql.creation import ensure_database
from kilonova_operator.storage.sql.engine import EngineSettings, build_engine
from kilonova_operator.storage.sql.failures import describe
from kilonova_operator.storage.sql.ownership import check_release, disown
from kilonova_operator.storage.sql.schema_sync import (
    Chain,
    SchemaState,
    SchemaVersion,
    read_version,
    upgrade,
)
from kilonova_operator.storage.sql.transactions import Transactions
from kilonova_operator.storage.sql.urls import parse_url, show_url

OK, FAILED, NOT_CURRENT, DISAGREES = 0, 1, 2, 3
"""DISAGREES is what ``nova-manage placement audit`` ends with, Nova 34."""
_AUDIT_ROWS = 1000
_PAUSE_SECONDS = 2.0
_ENGINE = EngineSettings(pool_size=2)

Say = Callable[[str], object]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the result is the process's exit code."""
    asked = _parser().parse_args(arguments)
    try:
        code: int = asked.run(read_settings(Settings), asked, print)
    except (KilonovaError, OSError) as error:
        print(f"kilonova-manage: {error}", file=sys.stderr)
        return FAILED
    except BadSettings as wrong:
        for line in str(wrong).splitlines():
            print(f"kilonova-manage: settings: {line}", file=sys.stderr)
        return FAILED
    return code


def sync(settings: Settings, asked: argparse.Namespace, say: Say) -> int:
    """Make and migrate every database of this release."""
    until = monotonic() + asked.wait_seconds
    for name in _chosen(settings, asked.database):
        _when_answering(partial(_sync_one, settings, name, say), until, say)
    return OK


def version(settings: Settings, asked: argparse.Namespace, say: Say) -> int:
    """Print each database's revision."""
    for found in _versions(settings, asked):
        say(f"{found.database}\t{found.found or '-'}")
    return OK


def check(settings: Settings, asked: argparse.Namespace, say: Say) -> int:
    """Tell whether every database has the revision this program wants."""
    code = OK
    for found in _versions(settings, asked):
        say(f"{found.database}\t{found.state}\t{found.found or '-'} of {found.wanted}")
        if found.state is not SchemaState.CURRENT:
            code = NOT_CURRENT
    if code != OK:
        say("run: kilonova-manage db sync")
    return code


def give_up(settings: Settings, asked: argparse.Namespace, say: Say) -> int:
    """Free a database from the installation that owns it."""
    name = asked.name
    engine = build_engine(parse_url(name, settings.database_url(name)), _ENGINE)
    owner = disown(name, engine, confirmed=asked.yes)
    say(f"{name}: {owner} owns it no more; the next operator to start takes it")
    return OK


def ask(settings: Settings, asked: argparse.Namespace, say: Say) -> int:
    """Pass a request on to the running operator, and its answer back."""
    answered, line = answer_request(settings.admin_socket, asked.verb, sys.stdin.buffer)
    say(line)
    return OK if answered else FAILED


def audit_placement(settings: Settings, asked: argparse.Namespace, say: Say) -> int:
    """Tell where claims, Servers and usage disagree; changes nothing."""
    del asked
    url = parse_url(API_DATABASE, settings.database_url(API_DATABASE))
    engine = build_engine(url, _ENGINE)
    try:
        reads = Transactions(API_DATABASE, engine)
        found = reads.read(partial(audit, limit=_AUDIT_ROWS))
    finally:
        engine.dispose()
    for line in found.describe():
        say(line)
    say("all claims agree" if found.clean else "claims do not agree")
    return OK if found.clean else DISAGREES


def _sync_one(settings: Settings, name: str, say: Say) -> None:
    url = parse_url(name, settings.database_url(name))
    engine = ensure_database(name, url, _ENGINE)
    try:
        chain = _chain(name)
        check_release(name, engine, release=_release(settings))
        before = upgrade(name, chain, engine)
        step = "is current" if before.state is SchemaState.CURRENT else "migrated"
        say(f"{name} ({show_url(url)}): {step}, revision {before.wanted}")
    except DBAPIError as error:
        raise DatabaseUnavailable(name, describe(error)) from None
    finally:
        engine.dispose()


def _versions(settings: Settings, asked: argparse.Namespace) -> Iterable[SchemaVersion]:
    for name in _chosen(settings, asked.database):
        url = parse_url(name, settings.database_url(name))
        engine = build_engine(url, _ENGINE)
        try:
            yield read_version(name, _chain(name), engine)
        except DBAPIError as error:
            raise DatabaseUnavailable(name, describe(error)) from None
        finally:
            engine.dispose()


def _when_answering(attempt: Callable[[], None], until: float, say: Say) -> None:
    """Run an attempt again while the server does not answer and time is left."""
    while True:
        try:
            return attempt()
        except DatabaseUnavailable as silent:
            if monotonic() + _PAUSE_SECONDS > until:
                raise
            say(f"{silent}; waiting")
            sleep(_PAUSE_SECONDS)


def _chosen(settings: Settings, name: str | None) -> tuple[str, ...]:
    if name is None:
        return settings.databases
    if name not in settings.databases:
        raise UnknownDatabase(name, settings.databases)
    return (name,)


class UnknownDatabase(KilonovaError):
    """A name that no database of this release has."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"no database {name!r}; there are {', '.join(known)}")


def _chain(name: str) -> Chain:
    return "api" if name == API_DATABASE else "cell"


def _release(settings: Settings) -> str:
    return f"{settings.namespace}/{settings.release}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kilonova-manage", description=__doc__)
    subjects = parser.add_subparsers(required=True, metavar="SUBJECT")
    database = subjects.add_parser("db", help="databases").add_subparsers(
        required=True, metavar="COMMAND"
    )
    for name, run, text in (
        ("sync", sync, "make missing databases and migrate all to this program"),
        ("version", version, "print each database's schema revision"),
        ("check", check, "exit 2 unless every schema is what this program wants"),
    ):
        command = database.add_parser(name, help=text)
        command.add_argument("--database", help=f"only this one: api, {CELL0}, cell1")
        command.set_defaults(run=run)
        if name == "sync":
            command.add_argument(
                "--wait-seconds",
                type=float,
                default=60.0,
                help="how long to wait for a server that does not answer",
            )
    for verb in ADMIN_VERBS:
        command = subjects.add_parser(verb, help="ask the operator; kubectl nova does")
        command.set_defaults(run=ask, verb=verb)
    placement = subjects.add_parser("placement", help="claims").add_subparsers(
        required=True, metavar="COMMAND"
    )
    placement.add_parser(
        "audit", help="exit 3 if claims, Servers and quota usage disagree"
    ).set_defaults(run=audit_placement)
    command = database.add_parser("disown", help="free one from a gone installation")
    command.add_argument("name")
    command.add_argument("--yes", action="store_true", help="the old one is gone")
    command.set_defaults(run=give_up)
    return parser


if __name__ == "__main__":
    sys.exit(main())
