"""What explains the failure of an end-to-end test: objects, logs, consoles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from kilonova_lab.deploy.install import NAMESPACE
from kilonova_lab.deploy.kubectl import Kubectl
from kilonova_lab.deploy.quickstart import GuestView
from kilonova_lab.node import Node

INSTALLED = pytest.StashKey[Kubectl]()
"""On the session, from the moment that Kilonova begins to be installed."""

_LOG_LINES = 60
_CONSOLE_LINES = 25
_KUBELET_LINES = 40
_MOST_CONSOLES = 10


def add_explanation(item: pytest.Item, report: pytest.TestReport) -> None:
    """Put what explains a failure below the test's own words.

    The test's objects are still there: what it set up is taken down later.
    """
    kubectl = item.session.stash.get(INSTALLED, None)
    if kubectl is not None and report.failed and report.when in ("setup", "call"):
        kilonova = getattr(item, "funcargs", {}).get("kilonova")
        nodes = () if kilonova is None else kilonova.cluster.nodes
        said = explain(kubectl, nodes)
        report.sections.append(("the cluster when it failed", said))


def explain(kubectl: Kubectl, nodes: Sequence[Node]) -> str:
    """Return objects, logs, the end of each Server's console and of kubelets' logs."""
    said = (*_list_objects(kubectl), *_list_consoles(kubectl), *_list_kubelets(nodes))
    return "\n".join(said)


def _list_kubelets(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        kubelet = node.programs["kubelet"]
        log = _ask(partial(kubelet.log.read_text, errors="replace"))
        tail = "\n".join(log.splitlines()[-_KUBELET_LINES:])
        yield f"--- kubelet of {node.name}\n{tail}"


def _list_objects(kubectl: Kubectl) -> Iterator[str]:
    tail = f"--tail={_LOG_LINES}"
    of_agents = ("-l", "app.kubernetes.io/name=kilonova-agent", "--prefix")
    for question in (
        ("get", "nova,instances,computehosts,cells,nodes,pods", "-A", "-o", "wide"),
        ("get", "servers", "-A", "-o", "yaml"),
        ("logs", "-n", NAMESPACE, "deploy/kilonova-operator", tail),
        ("logs", "-n", NAMESPACE, *of_agents, tail),
    ):
        answer = _ask(partial(kubectl.run, *question))
        yield f"--- kubectl {' '.join(question)}\n{answer}"


def _list_consoles(kubectl: Kubectl) -> Iterator[str]:
    servers = _find_servers(kubectl)
    for server in servers[:_MOST_CONSOLES]:
        meta, status = server["metadata"], server.get("status", {})
        if "uuid" in status and "host" in status:
            said = _ask(GuestView(kubectl, server).read_console)
            tail = "\n".join(said.splitlines()[-_CONSOLE_LINES:])
            yield f"--- console of {meta['namespace']}/{meta['name']}\n{tail}"
    if len(servers) > _MOST_CONSOLES:
        yield f"--- and {len(servers) - _MOST_CONSOLES} consoles more"


def _find_servers(kubectl: Kubectl) -> list[dict[str, Any]]:
    try:
        return kubectl.items("servers")
    except Exception:  # noqa: BLE001 - the same question was answered with it above
        return []


def _ask(question: Callable[[], str]) -> str:
    try:
        return question()
    except Exception as error:  # noqa: BLE001 - it explains, it must not hide
        return str(error)
