"""``kubectl nova schedule``: where would a Server go, and why not elsewhere."""

from typing import Annotated

import typer

from kilonova_api.admin import SCHEDULE_DRY_RUN, DryRunAnswer, DryRunRequest
from kilonova_cli.commands.explain import HostCount, print_hosts, print_record
from kilonova_cli.errors import EXIT_NO, UsageProblem
from kilonova_cli.manifest_file import read_server
from kilonova_cli.options import Session, add_command
from kilonova_cli.output import Printer


def add_schedule(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "schedule", asks_operator=True)(schedule)


def schedule(
    session: Session,
    *,
    file: Annotated[
        str,
        typer.Option(
            "--filename",
            "-f",
            metavar="FILE",
            help="Manifest of one Server, YAML or JSON; - is standard input.",
        ),
    ],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Needed: kubectl apply is what creates."),
    ] = False,
    hosts: HostCount = 20,
) -> None:
    """Say where a Server would go, and why not elsewhere; create nothing.

    Asks the scheduler that runs, by exec in the operator's pod. Free addresses
    are not looked at. Exit code 3: it would go nowhere now.
    """
    if not dry_run:
        raise UsageProblem(
            "schedule creates nothing: add --dry-run, or create the Server with "
            "kubectl apply -f"
        )
    manifest = read_server(
        file, namespace=session.cluster.namespace, named=session.choice.namespace
    )
    request = DryRunRequest(server=manifest, hosts=hosts)
    answer = session.leader.ask(SCHEDULE_DRY_RUN, request, DryRunAnswer)
    if session.out.for_people:
        _print(session.out, answer)
    else:
        session.out.data(answer.wire())
    if answer.host is None or answer.problem is not None:
        raise typer.Exit(EXIT_NO)


def _print(out: Printer, answer: DryRunAnswer) -> None:
    problem = answer.problem
    out.facts(
        (
            ("Server", answer.server),
            ("Would go to", answer.host or "no host"),
            ("Zone", answer.zone),
            ("Cell", answer.cell),
            ("Problem", f"{problem.reason}: {problem.message}" if problem else None),
        )
    )
    if problem is not None and problem.waits:
        out.line("It would wait for that, and go on by itself.")
    if answer.scheduling is not None:
        print_record(out, answer.scheduling)
    print_hosts(out, answer)
