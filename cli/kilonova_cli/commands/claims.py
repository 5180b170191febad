"""``kubectl nova claim``: what Servers hold of hosts, and whether it adds up."""

from collections.abc import Sequence
from typing import Annotated

import typer

from kilonova_api.admin import (
    AUDIT_CLAIMS,
    LIST_CLAIMS,
    AuditAnswer,
    AuditRequest,
    ClaimRow,
    ClaimsAnswer,
    ClaimsRequest,
    HeldCell,
)
from kilonova_cli.completion_sources import complete_hosts
from kilonova_cli.errors import EXIT_NO, UsageProblem
from kilonova_cli.options import Session, add_command
from kilonova_cli.output import Grid, Printer

app = typer.Typer(
    no_args_is_help=True,
    help="What Servers hold of hosts. For who may exec into the operator's pod.",
)

_HEADINGS: tuple[str, ...] = (
    "SERVER",
    "HOST",
    "GENERATION",
    "STATE",
    "HOLDS",
    "OF OTHERS",
)


@add_command(app, "list", asks_operator=True, namespaced=False)
def list_claims(
    session: Session,
    *,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Only of this host.", autocompletion=complete_hosts
        ),
    ] = None,
    server: Annotated[
        str | None, typer.Option(metavar="NAMESPACE/NAME", help="Only of this Server.")
    ] = None,
) -> None:
    """List claims, of all Servers, of one host or of one Server.

    State: Placed (the Server is there), Former (it moved and its old guest is not
    yet proven gone), Deleting (its delete is recorded), Retained (its guest goes on
    without it), Orphan (nobody knows its Server: kubectl nova claim audit).
    """
    claims = _read_claims(session, _build_request(host, server))
    if session.out.for_people:
        session.out.grid(_build_grid(claims))
    else:
        session.out.data([claim.wire() for claim in claims])


@add_command(app, "audit", asks_operator=True, namespaced=False)
def audit_claims(session: Session) -> None:
    """Compare claims with living Servers. Exit code 3: something differs."""
    answer = session.leader.ask(AUDIT_CLAIMS, AuditRequest(), AuditAnswer)
    if session.out.for_people:
        _print_audit(session.out, answer)
    else:
        session.out.data(answer.wire())
    if answer.findings:
        raise typer.Exit(EXIT_NO)


def _build_request(host: str | None, server: str | None) -> ClaimsRequest:
    if server is None:
        return ClaimsRequest(host=host)
    if host is not None:
        raise UsageProblem("--host and --server must not both be set")
    namespace, slash, name = server.partition("/")
    if not (namespace and slash and name):
        raise UsageProblem(f"--server {server}: give NAMESPACE/NAME")
    return ClaimsRequest(namespace=namespace, name=name)


def _read_claims(session: Session, request: ClaimsRequest) -> list[ClaimRow]:
    found: list[ClaimRow] = []
    while True:
        page = session.leader.ask(LIST_CLAIMS, request, ClaimsAnswer)
        found += page.claims
        if not page.next:
            return found
        request = request.model_copy(update={"after": page.next})


def _build_grid(claims: Sequence[ClaimRow]) -> Grid:
    """Return the table; NUMA cells have a column where some claim holds of them."""
    rows = [_build_row(claim) for claim in claims]
    headings = _HEADINGS
    if any(claim.cells for claim in claims):
        headings = (*_HEADINGS, "NUMA CELLS")
        cells = ("; ".join(map(_tell_cell, claim.cells)) for claim in claims)
        rows = [(*row, told) for row, told in zip(rows, cells, strict=True)]
    return Grid(headings, rows, frozenset({"GENERATION"}))


def _build_row(claim: ClaimRow) -> tuple[object, ...]:
    others = (f"{name} {_join(held)}" for name, held in sorted(claim.shared.items()))
    return (
        claim.server or f"uid {claim.uid}",
        claim.host,
        claim.generation,
        claim.state,
        _join(claim.amounts),
        "; ".join(others),
    )


def _tell_cell(held: HeldCell) -> str:
    """Say what is held of a cell, as ``0: CPUs 4-5, 1024 MiB in pages of 2048 KiB``."""
    parts = [f"CPUs {held.cpus}"] if held.cpus else []
    size = held.page_size_kib
    pages = f" in pages of {size} KiB" if size is not None else ""
    return f"{held.cell}: {', '.join([*parts, f'{held.memory_mib} MiB{pages}'])}"


def _join(amounts: dict[str, int]) -> str:
    return ",".join(f"{name}={amount}" for name, amount in sorted(amounts.items()))


def _print_audit(out: Printer, answer: AuditAnswer) -> None:
    out.line(
        f"{answer.servers} Servers have a host, {answer.claims} placements hold one of "
        f"{answer.hosts} hosts."
    )
    if not answer.findings:
        out.line("Claims and Servers agree.")
        return
    out.line()
    rows = [(f.kind, f.subject, f.message) for f in answer.findings]
    out.grid(Grid(("FINDING", "SUBJECT", "WHAT DIFFERS"), rows))
    if answer.findings_not_shown:
        out.line(f"{answer.findings_not_shown} more are not shown.")
