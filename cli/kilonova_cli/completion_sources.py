"""Names that the shell offers: read from the cluster, quickly or not at all."""

from collections.abc import Iterator

import typer

from kilonova_api.compute_host import ComputeHost
from kilonova_api.meta import KubeObject
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_cli.choice import ClusterChoice
from kilonova_cli.errors import CliError
from kilonova_cli.options import Session
from kilonova_cli.output import Printer


def complete_servers(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer Servers of the namespace."""
    return _complete(context, Server, incomplete)


def complete_hosts(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer ComputeHosts."""
    return _complete(context, ComputeHost, incomplete)


def complete_groups(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Offer ServerGroups of the namespace."""
    return _complete(context, ServerGroup, incomplete)


def _complete(
    context: typer.Context, kind: type[KubeObject], incomplete: str
) -> Iterator[str]:
    given = context.params
    choice = ClusterChoice(
        given.get("kubeconfig"), given.get("context"), given.get("namespace")
    )
    try:
        objects = Session(choice, Printer()).cluster.list(kind.resource())
    except CliError:
        return  # nothing to offer; the command itself will say why
    for obj in objects:
        name = obj["metadata"]["name"]
        if name.startswith(incomplete):
            yield name
