"""``kubectl nova quota``: what namespaces use and may use."""

from typing import Annotated

import typer

from kilonova_api.admin import SHOW_QUOTA, QuotaAnswer, QuotaRequest
from kilonova_api.server_quota import ServerQuota
from kilonova_cli.ages import tell_age
from kilonova_cli.errors import CliError
from kilonova_cli.objects import read
from kilonova_cli.options import Session, add_command
from kilonova_cli.output import Grid

_HEADINGS = ("NAMESPACE", "INSTANCES", "CORES", "RAM-MIB", "READY", "AGE", "WHY")


def add_quota(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "quota", asks_operator=True)(show_quota)


def show_quota(
    session: Session,
    *,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")
    ] = False,
) -> None:
    """Show what is in use and allowed, as 5/20; one figure alone has no limit.

    Where a namespace has no ServerQuota the chart's default holds: who may ask the
    operator is told its figures, too.
    """
    objects = session.cluster.list(
        ServerQuota.resource(), all_namespaces=all_namespaces
    )
    if not session.out.for_people:
        session.out.objects(objects)
        return
    if not objects:
        _print_default(session, all_namespaces=all_namespaces)
        return
    rows = [_build_row(read(ServerQuota, obj)) for obj in objects]
    session.out.grid(Grid(_HEADINGS, rows, frozenset(_HEADINGS[1:4])))


def _print_default(session: Session, *, all_namespaces: bool) -> None:
    if all_namespaces:
        session.out.line("Namespaces have no ServerQuota: the chart's default holds.")
        return
    namespace = session.cluster.namespace
    told = f"{namespace} has no ServerQuota: the chart's default holds."
    try:
        answer = session.leader.ask(
            SHOW_QUOTA, QuotaRequest(namespace=namespace), QuotaAnswer
        )
    except CliError as error:
        # Tenants may not ask, and what is said holds all the same.
        session.out.line(told)
        session.out.line(f"What it is could not be asked: {error}")
        return
    figures = (namespace, answer.instances, answer.cores, answer.ram_mib)
    session.out.grid(Grid(_HEADINGS[:4], [figures], frozenset(_HEADINGS[1:4])))
    session.out.line()
    session.out.line(told)


def _build_row(quota: ServerQuota) -> tuple[object, ...]:
    spec, status = quota.spec, quota.status
    ready = status.condition("Ready")
    is_ready = ready is not None and ready.status == "True"
    return (
        quota.metadata.namespace,
        status.instances or _tell_limit(spec.instances),
        status.cores or _tell_limit(spec.cores),
        status.ram_mib or _tell_limit(spec.ram_mib),
        ready.status if ready else None,
        tell_age(quota.metadata.creation_timestamp),
        ready.reason if ready and not is_ready else None,
    )


def _tell_limit(limit: int | None) -> str:
    """Return a limit whose use was not counted yet."""
    return "?" if limit is None else f"?/{limit}"
