"""Options that every command has, and how a command gets its cluster."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kilonova_cli.choice import ClusterChoice
from kilonova_cli.output import OutputFormat, Printer

if TYPE_CHECKING:
    from kilonova_cli.cluster import Cluster
    from kilonova_cli.leader import Leader

Kubeconfig = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="The kubeconfig; otherwise KUBECONFIG, ~/.kube/config."
    ),
]
Context = Annotated[
    str | None, typer.Option(metavar="NAME", help="The kubeconfig's context to use.")
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="The namespace; otherwise the context's.",
    ),
]
Output = Annotated[
    OutputFormat, typer.Option("--output", "-o", help="How to print the answer.")
]
OperatorNamespace = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        envvar="KUBECTL_NOVA_OPERATOR_NAMESPACE",
        help="Where the operator runs.",
    ),
]
Release = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        envvar="KUBECTL_NOVA_RELEASE",
        help="The Helm release of the operator.",
    ),
]
_COMMON: dict[str, tuple[Any, Any]] = {
    "namespace": (Namespace, None),
    "context": (Context, None),
    "kubeconfig": (Kubeconfig, None),
    "output": (Output, OutputFormat.TABLE),
}
_ADMINS: dict[str, tuple[Any, Any]] = {
    "operator_namespace": (OperatorNamespace, "kilonova-system"),
    "release": (Release, "kilonova"),
}


@dataclass
class Session:
    """What a command works with. The cluster is looked for when it is needed.

    Importing the Kubernetes client takes a second, which help and completion
    do not have; so that happens here, and not at the top.
    """

    choice: ClusterChoice
    out: Printer
    operator_namespace: str = "kilonova-system"
    release: str = "kilonova"

    @cached_property
    def cluster(self) -> "Cluster":
        """The chosen cluster.

        Raises:
            NoCluster: there is none to choose.
        """
        from kilonova_cli.cluster import Cluster
        from kilonova_cli.connection import connect

        return Cluster(connect(self.choice))

    @cached_property
    def leader(self) -> "Leader":
        """The operator that leads there."""
        from kilonova_cli.leader import Leader

        return Leader(self.cluster, self.operator_namespace, self.release)


def add_command(
    app: typer.Typer,
    name: str,
    *,
    asks_operator: bool = False,
    namespaced: bool = True,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add a command that gets a Session, and the common options with it.

    asks_operator: it can exec into the operator's pod. ``namespaced``: it means
    objects of a namespace.
    """
    options = _COMMON | (_ADMINS if asks_operator else {})
    if not namespaced:
        del options["namespace"]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            common = {option: given.pop(option) for option in options}
            command(open_session(**common), **given)

        wanted = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        added = [
            inspect.Parameter(
                option,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=annotation,
            )
            for option, (annotation, default) in options.items()
        ]
        signature = inspect.Signature([*wanted, *added])
        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {
            parameter.name: parameter.annotation
            for parameter in signature.parameters.values()
        }
        del run.__wrapped__
        app.command(name)(run)
        return command

    return decorate


def open_session(
    *,
    namespace: str | None = None,
    context: str | None = None,
    kubeconfig: str | None = None,
    output: OutputFormat = OutputFormat.TABLE,
    **operator: str,
) -> Session:
    """Choose the cluster; nothing is read yet."""
    choice = ClusterChoice(kubeconfig, context, namespace)
    return Session(choice, Printer(output), **operator)
