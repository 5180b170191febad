"""``kubectl nova group``: Servers that belong together, or apart."""

from collections.abc import Iterator
from typing import Annotated

import typer

from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_cli.ages import tell_age
from kilonova_cli.completion_sources import complete_groups
from kilonova_cli.objects import read
from kilonova_cli.options import Session, add_command
from kilonova_cli.output import Grid

app = typer.Typer(no_args_is_help=True, help="Server groups.")

_HEADINGS = ("SERVER", "STATUS", "HOST", "ZONE", "AGE", "WHY")


@add_command(app, "show")
def show_group(
    session: Session,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The ServerGroup.", autocompletion=complete_groups
        ),
    ],
) -> None:
    """Show a group's policy, and where each of its members is."""
    obj = session.cluster.get(ServerGroup.resource(), name)
    servers = session.cluster.list(Server.resource())
    members = [s for s in servers if _find_group(s) == name]
    if not session.out.for_people:
        session.out.data({"group": obj, "members": members})
        return
    session.out.facts(_list_facts(read(ServerGroup, obj)))
    session.out.line()
    if not members:
        session.out.line("No Server names it.")
        return
    rows = [_build_row(read(Server, member)) for member in members]
    session.out.grid(Grid(_HEADINGS, rows))


def _find_group(server: dict[str, object]) -> str | None:
    spec = server.get("spec")
    ref = spec.get("serverGroupRef") if isinstance(spec, dict) else None
    return ref.get("name") if isinstance(ref, dict) else None


def _list_facts(group: ServerGroup) -> Iterator[tuple[str, object]]:
    spec, status = group.spec, group.status
    ready = status.condition("Ready")
    yield "Group", group.key
    yield "Policy", spec.policy
    yield "Spread over", "zones" if spec.topology == "Zone" else "hosts"
    if spec.policy == "AntiAffinity":
        yield "Most per domain", spec.max_per_domain or 1
    if spec.min_members is not None:
        waits = f"or waits {spec.schedule_timeout_seconds} s"
        yield "All or nothing", f"{spec.min_members} members, {waits}"
    yield "Placed", status.placed
    yield "Domains", status.domains
    if status.waiting_since is not None:
        yield "Waiting for", tell_age(status.waiting_since)
    if ready is not None and ready.status != "True":
        yield "Why", f"{ready.reason}: {ready.message}"


def _build_row(server: Server) -> tuple[object, ...]:
    status = server.status
    return (
        server.metadata.name,
        status.state,
        status.host,
        status.zone,
        tell_age(server.metadata.creation_timestamp),
        status.why,
    )
