"""A cluster with both charts installed, and how to be who acts in it."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from secrets import token_hex
from typing import Any

from kilonova_api.names import HOSTS_NAMESPACE, host_namespace
from kilonova_lab.controlplane import ControlPlane
from support.chart_manifests import (
    build_instance,
    build_namespace,
    build_role_binding,
    build_server,
)
from support.kubectl import Cli
from support.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
RELEASE_NAMESPACE = "kilonova-system"
BREAK_GLASS = "kilonova:break-glass"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster as seen by its admin, and how to be somebody else."""

    control_plane: ControlPlane
    admin: Cli

    @property
    def break_glass(self) -> Cli:
        """An admin who is also in the break-glass group."""
        path = self.control_plane.write_kubeconfig(
            "breaker", groups=["system:masters", BREAK_GLASS]
        )
        return self.admin.with_kubeconfig(path)

    def user(self, name: str) -> Cli:
        """A person without any rights of their own."""
        return self.admin.with_kubeconfig(self.control_plane.write_kubeconfig(name))

    def token(
        self, namespace: str, account: str, *, pod: dict[str, Any] | None = None
    ) -> str:
        """Return a ServiceAccount's token, as kubelet gets it for a pod."""
        spec: dict[str, Any] = {"expirationSeconds": 3600}
        if pod is not None:
            spec["boundObjectRef"] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
            }
        return request_token(self.admin, namespace, account, spec)

    @property
    def operator(self) -> Cli:
        """The operator's own account."""
        return self.admin.with_token(self.token(RELEASE_NAMESPACE, "kilonova-operator"))

    def agent_pod_token(self, node: str) -> str:
        """Return the token of an agent's pod on a Node, as kubelet mounts it."""
        pod = self.admin.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"agent-{token_hex(4)}",
                    "namespace": RELEASE_NAMESPACE,
                },
                "spec": {
                    "nodeName": node,
                    "serviceAccountName": "kilonova-agent",
                    "containers": [{"name": "agent", "image": "agent"}],
                },
            }
        )
        return self.token(RELEASE_NAMESPACE, "kilonova-agent", pod=pod)

    def host(self, node: str) -> Cli:
        """A host's agent, with the token it asked for itself."""
        agent = self.admin.with_token(self.agent_pod_token(node))
        spec = {"expirationSeconds": 3600}
        return self.admin.with_token(request_token(agent, HOSTS_NAMESPACE, node, spec))


def request_token(who: Cli, namespace: str, account: str, spec: object) -> str:
    """Ask for a ServiceAccount's token as somebody who may have it."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    token: str = who.post(path, {**body, "spec": spec})["status"]["token"]
    return token


def wait_for_crds(admin: Cli) -> None:
    """Wait until every CRD is served. (``kubectl wait`` fails on one too new.)"""

    def established() -> bool:
        return all(
            any(
                (condition["type"], condition["status"]) == ("Established", "True")
                for condition in crd.get("status", {}).get("conditions") or ()
            )
            for crd in admin.get("crd")["items"]
        )

    eventually(established, "every CRD is established")


def install_charts(admin: Cli, *settings: str) -> None:
    """Install the CRDs and Kilonova, and wait until its policies bite."""
    charts = REPOSITORY / "charts"
    admin.helm("install", "kilonova-crds", str(charts / "kilonova-crds"))
    wait_for_crds(admin)
    admin.helm(
        "install",
        "kilonova",
        str(charts / "kilonova"),
        "--namespace",
        RELEASE_NAMESPACE,
        "--create-namespace",
        *settings,
    )
    # The API server compiles all policies in one go, about a second later.
    probe = json.dumps(build_namespace("kilonova-host-probe"))
    eventually(
        lambda: (
            not admin.run(
                "kubectl", "create", "--dry-run=server", "-f", "-", stdin=probe
            ).ok
        ),
        "the policies refuse a namespace kilonova-host-probe",
    )
    # A mutating policy has every Server refused with a 503 until the API server
    # has learned the kind's schema, some seconds after the CRD is established.
    server = json.dumps(build_server("probe", "default"))
    eventually(
        lambda: (
            "There can be a delay"
            not in admin.run(
                "kubectl", "create", "--dry-run=server", "-f", "-", stdin=server
            ).stderr
        ),
        "Servers can be written",
    )


def add_host(cluster: Cluster, node: str) -> None:
    """Make a Node and, as the operator, all that belongs to its host."""
    cluster.admin.create(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}
    )
    operator, namespace = cluster.operator, host_namespace(node)
    operator.create(build_namespace(namespace))
    operator.create(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": node, "namespace": HOSTS_NAMESPACE},
            "automountServiceAccountToken": False,
        }
    )
    for name, role, account in (
        ("kilonova-agent", "kilonova-agent-host", f"{HOSTS_NAMESPACE}:{node}"),
        (
            "kilonova-conductor",
            "kilonova-conductor-host",
            f"{RELEASE_NAMESPACE}:kilonova-operator",
        ),
    ):
        operator.create(build_role_binding(name, namespace, role, account))
    operator.create(
        {
            "apiVersion": "compute.kilonova.dev/v1alpha1",
            "kind": "ComputeHost",
            "metadata": {"name": node},
            "spec": {},
        }
    )
    code, text = operator.send(
        "PATCH",
        f"/apis/compute.kilonova.dev/v1alpha1/computehosts/{node}/status",
        {"status": {"observedGeneration": 1, "state": "Up", "cell": "cell1"}},
    )
    assert code == HTTPStatus.OK, text
    operator.create(build_instance(node))
