"""The cluster that a command talks to, chosen as kubectl chooses it."""

import os
from dataclasses import dataclass

import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import (
    ConfigException,
    list_kube_config_contexts,
    load_incluster_config,
    load_kube_config,
)
from kubernetes.config.incluster_config import SERVICE_TOKEN_FILENAME

from kilonova_cli.choice import ClusterChoice
from kilonova_cli.errors import CliError

_RETRIES = 1
_DEFAULT_NAMESPACE = "default"
_UNREADABLE = (
    *(ConfigException, OSError, ValueError, yaml.YAMLError),
    # What the client's loader raises on YAML that is no kubeconfig.
    *(KeyError, TypeError, AttributeError),
)


class NoCluster(CliError):
    """No kubeconfig names a cluster."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A cluster, and the namespace that is meant where none is named."""

    api: ApiClient
    namespace: str


def connect(choice: ClusterChoice) -> Chosen:
    """Read the kubeconfig; nothing is sent yet.

    Raises:
        NoCluster: which file or context is wrong.
    """
    configuration = Configuration()
    configuration.retries = _RETRIES
    if choice.kubeconfig is None and choice.context is None and _in_a_pod():
        load_incluster_config(  # type: ignore[no-untyped-call]
            client_configuration=configuration
        )
        namespace = _read_pod_namespace()
    else:
        namespace = _load(choice, configuration)
    return Chosen(ApiClient(configuration), choice.namespace or namespace)


def _load(choice: ClusterChoice, configuration: Configuration) -> str:
    """Load the kubeconfig's context; return the namespace it names."""
    files = choice.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    try:
        load_kube_config(  # type: ignore[no-untyped-call]
            config_file=files,
            context=choice.context,
            client_configuration=configuration,
            persist_config=False,
        )
        contexts, current = list_kube_config_contexts(  # type: ignore[no-untyped-call]
            config_file=files
        )
    except _UNREADABLE as error:
        text = " ".join(str(error).split())
        raise NoCluster(
            f"no cluster in kubeconfig {files}: {text} Set --kubeconfig, --context or "
            "KUBECONFIG"
        ) from None
    wanted = choice.context or current["name"]
    context = next(c["context"] for c in contexts if c["name"] == wanted)
    return str(context.get("namespace") or _DEFAULT_NAMESPACE)


def _in_a_pod() -> bool:
    home = os.path.expanduser("~/.kube/config")  # noqa: PTH111 - as the client does
    has_file = "KUBECONFIG" in os.environ or os.path.exists(home)  # noqa: PTH110
    return "KUBERNETES_SERVICE_HOST" in os.environ and not has_file


def _read_pod_namespace() -> str:
    path = SERVICE_TOKEN_FILENAME.replace("token", "namespace")
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a path as text
            return file.read().strip()
    except OSError:
        return _DEFAULT_NAMESPACE
