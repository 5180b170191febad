"""``kubectl nova explain``: why a Server is where it is, or nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from kilonova_api.admin import (
    LIST_DECISIONS,
    MAX_HOSTS,
    SCHEDULE_DRY_RUN,
    DecisionsAnswer,
    DecisionsRequest,
    DryRunAnswer,
    DryRunRequest,
    FullDecision,
    HostJudgement,
)
from kilonova_api.server import Server
from kilonova_api.server_status import SchedulingRecord
from kilonova_cli.completion_sources import complete_servers
from kilonova_cli.objects import read
from kilonova_cli.options import Session, add_command
from kilonova_cli.output import Printer
from kilonova_cli.scheduling_report import build_hosts, build_stages, find_mismatch

HostCount = Annotated[
    int,
    typer.Option(
        metavar="N", min=0, max=MAX_HOSTS, help="How many hosts to show, best first."
    ),
]

_SHOWN = 20

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
            help="Add the last three decisions with every host and weight as the "
            "database keeps them, and for a Server without a host what each host fails "
            "now. For who may exec into the operator's pod.",
        ),
    ] = False,
    hosts: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            max=MAX_HOSTS,
            help=f"With --admin: how many hosts to show, best first. {_SHOWN} in "
            "tables, all of them as JSON or YAML.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Say why a Server is on its host, or on none.

    Shows status.scheduling: the hosts that were considered, what removed how many
    of them (each counts once, at the first constraint it failed), and what the
    nearest miss lacks.
    """
    obj = session.cluster.get(Server.resource(), name)
    server = read(Server, obj)
    if hosts is None:
        hosts = _SHOWN if session.out.for_people else MAX_HOSTS
    full = _ask_in_full(session, obj, server, hosts=hosts) if admin else None
    if not session.out.for_people:
        session.out.data(_build_data(server, full))
        return
    _print_server(session.out, server)
    if full is not None:
        _print_in_full(session.out, full)


@dataclass(frozen=True, slots=True)
class _InFull:
    """What admins see more: kept decisions, and without a host the hosts as of now."""

    decisions: tuple[FullDecision, ...]
    now: DryRunAnswer | None


def _ask_in_full(
    session: Session, obj: dict[str, Any], server: Server, *, hosts: int
) -> _InFull:
    asked = DecisionsRequest(uid=server.metadata.uid, hosts=hosts)
    kept = session.leader.ask(LIST_DECISIONS, asked, DecisionsAnswer)
    if server.status.host is not None:
        return _InFull(kept.decisions, None)
    names = {"name": server.metadata.name, "namespace": server.metadata.namespace}
    manifest = {part: obj[part] for part in ("apiVersion", "kind", "spec")}
    request = DryRunRequest(server=manifest | {"metadata": names}, hosts=hosts)
    now = session.leader.ask(SCHEDULE_DRY_RUN, request, DryRunAnswer)
    return _InFull(kept.decisions, now)


def print_hosts(out: Printer, answer: DryRunAnswer) -> None:
    """Print what a dry run says of each host."""
    _print_host_grid(out, answer.hosts, not_shown=answer.hosts_not_shown)


def print_record(out: Printer, record: SchedulingRecord) -> None:
    """Print what a decision removed."""
    out.line()
    out.grid(build_stages(record))
    if mismatch := find_mismatch(record):
        out.line(f"Note: {mismatch}.")
    if record.ignored_hints:
        out.line()
        out.line(
            f"Hints that count for nothing: {', '.join(record.ignored_hints)}. No "
            "enabled filter reads them, or no Server that differentHost names has a "
            "host."
        )
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


def _print_in_full(out: Printer, full: _InFull) -> None:
    for number, decision in enumerate(full.decisions, 1):
        _print_decision(out, number, decision)
    if not full.decisions:
        out.line()
        out.line("The database keeps no decision about it.")
    if full.now is not None:
        out.line()
        out.line(f"Decided now, it would go to {full.now.host or 'no host'}:")
        print_hosts(out, full.now)


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
    _print_hosts_kept(out, decision)
    if "hostsConsidered" in decision.record:
        print_record(out, SchedulingRecord.model_validate(decision.record))


def _print_hosts_kept(out: Printer, decision: FullDecision) -> None:
    if decision.hosts_not_kept:
        out.line()
        out.line(f"Its hosts are not kept: {decision.hosts_not_kept}.")
    _print_host_grid(out, decision.hosts, not_shown=decision.hosts_not_shown)


def _print_host_grid(
    out: Printer, hosts: Sequence[HostJudgement], *, not_shown: int
) -> None:
    if not hosts:
        return
    out.line()
    out.grid(build_hosts(hosts))
    if not_shown:
        out.line(f"{not_shown} more hosts: --hosts shows them.")


def _build_data(server: Server, full: _InFull | None) -> dict[str, object]:
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
    if full is not None:
        data["decisions"] = [decision.wire() for decision in full.decisions]
        data["now"] = full.now.wire() if full.now else None
    return data


def _tell(reason: str, message: str) -> str:
    return f"{reason}: {message}" if message else reason
