"""``kubectl nova explain``: why a Server is where it is, or nowhere."""

from typing import Annotated

import typer

from kilonova_api.admin import (
    LIST_DECISIONS,
    DecisionsAnswer,
    DecisionsRequest,
    FullDecision,
)
from kilonova_api.server import Server
from kilonova_api.server_status import SchedulingRecord
from kilonova_cli.completion_sources import complete_servers
from kilonova_cli.objects import read
from kilonova_cli.options import Session, add_command
from kilonova_cli.output import Printer
from kilonova_cli.scheduling_report import build_hosts, build_stages, find_mismatch

app = typer.Typer(no_args_is_help=True, help="Say why something is as it is.")


@add_command(app, "server", asks_operator=True)
def explain_server(
    session: Session,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The Server.", autocompletion=complete_servers
        ),
    ],
    *,
    admin: Annotated[
        bool,
        typer.Option(
            "--admin",
            help="Add the last three decisions in full, with every host. For who may "
            "exec into the operator's pod.",
        ),
    ] = False,
) -> None:
    """Say why a Server is on its host, or on none.

    Shows status.scheduling: the hosts that were considered, what removed how many
    of them (each counts once, at the first constraint it failed), and what the
    nearest miss lacks.
    """
    server = read(Server, session.cluster.get(Server.resource(), name))
    kept = DecisionsAnswer()
    if admin:
        request = DecisionsRequest(uid=server.metadata.uid)
        kept = session.leader.ask(LIST_DECISIONS, request, DecisionsAnswer)
    if not session.out.for_people:
        session.out.data(_build_data(server, kept.decisions if admin else None))
        return
    _print_server(session.out, server)
    for number, decision in enumerate(kept.decisions, 1):
        _print_decision(session.out, number, decision)
    if admin and not kept.decisions:
        session.out.line()
        session.out.line("The database keeps no decision about it.")


def print_record(out: Printer, record: SchedulingRecord) -> None:
    """Print what a decision removed."""
    out.line()
    out.grid(build_stages(record))
    if mismatch := find_mismatch(record):
        out.line(f"Note: {mismatch}.")
    if record.nearest_miss:
        out.line()
        out.line(f"Nearest miss: {record.nearest_miss}")


def _print_server(out: Printer, server: Server) -> None:
    status, ready = server.status, server.status.condition("Ready")
    record = status.scheduling
    out.facts(
        (
            ("Server", server.key),
            ("State", status.state),
            ("Host", status.host or "none"),
            ("Zone", status.zone),
            ("Cell", status.cell),
            ("Attempts", record.attempts if record else None),
            ("Why", _tell(ready.reason, ready.message) if ready else None),
        )
    )
    if record is None:
        out.line()
        out.line("There is no scheduling decision about it yet.")
        return
    print_record(out, record)


def _print_decision(out: Printer, number: int, decision: FullDecision) -> None:
    out.line()
    when = f"{decision.decided_at:%Y-%m-%d %H:%M:%S} UTC" if decision.decided_at else ""
    out.facts(
        (
            (f"Decision {number}", decision.outcome),
            ("Made at", when),
            ("Host", decision.host or "none"),
            ("Obstacle", decision.record.get("reason")),
            ("Message", decision.record.get("message")),
        )
    )
    if "hostsConsidered" in decision.record:
        print_record(out, SchedulingRecord.model_validate(decision.record))
    if decision.hosts:
        out.line()
        out.grid(build_hosts(decision.hosts))


def _build_data(
    server: Server, decisions: tuple[FullDecision, ...] | None
) -> dict[str, object]:
    status = server.status
    record, ready = status.scheduling, status.condition("Ready")
    data: dict[str, object] = {
        "server": server.key,
        "uid": server.metadata.uid,
        "state": status.state,
        "host": status.host,
        "zone": status.zone,
        "cell": status.cell,
        "ready": ready.wire() if ready else None,
        "scheduling": record.wire() if record else None,
    }
    if decisions is not None:
        data["decisions"] = [decision.wire() for decision in decisions]
    return data


def _tell(reason: str, message: str) -> str:
    return f"{reason}: {message}" if message else reason
