"""The cluster's DNS: the objects that run CoreDNS. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from kilonova_lab.config import NODE_NAME_LABEL
from kilonova_lab.nodefiles import CLUSTER_DOMAIN
from kilonova_lab.systemimages import DNS_IMAGE

_NAMESPACE = "kube-system"
_RBAC_GROUP = "rbac.authorization.k8s.io"
_LABELS = {"k8s-app": "kube-dns"}

# No forward: a name outside the cluster is refused at once instead of becoming
# a packet outside the lab. Short caches: tests make and remove Services.
_COREFILE = f""".:53 {{
  errors
  health {{
    lameduck 0s
  }}
  ready
  cache 5
  kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
    pods insecure
    ttl 5
  }}
}}
"""


def build_dns_objects(
    address: IPv4Address, *, node: str
) -> Mapping[str, Mapping[str, Any]]:
    """Return the objects by their API path.

    Args:
        address: the Service's, which every kubelet hands to its pods.
        node: where it runs: not on a hypervisor host, which tests kill.
    """
    core = f"/api/v1/namespaces/{_NAMESPACE}"
    apps = f"/apis/apps/v1/namespaces/{_NAMESPACE}"
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    return {
        f"{core}/serviceaccounts/coredns": _build("v1", "ServiceAccount", "coredns"),
        f"{rbac}/clusterroles/system:coredns": _build_role(),
        f"{rbac}/clusterrolebindings/system:coredns": _build_role_binding(),
        f"{core}/configmaps/coredns": {
            **_build("v1", "ConfigMap", "coredns"),
            "data": {"Corefile": _COREFILE},
        },
        f"{core}/services/kube-dns": _build_service(address),
        f"{apps}/deployments/coredns": _build_deployment(node),
    }


def _build_role() -> Mapping[str, Any]:
    return {
        **_build(f"{_RBAC_GROUP}/v1", "ClusterRole", "system:coredns"),
        "rules": [
            _build_rule("", "endpoints", "services", "pods", "namespaces"),
            _build_rule("discovery.k8s.io", "endpointslices"),
        ],
    }


def _build_role_binding() -> Mapping[str, Any]:
    return {
        **_build(f"{_RBAC_GROUP}/v1", "ClusterRoleBinding", "system:coredns"),
        "roleRef": {
            "apiGroup": _RBAC_GROUP,
            "kind": "ClusterRole",
            "name": "system:coredns",
        },
        "subjects": [
            {"kind": "ServiceAccount", "name": "coredns", "namespace": _NAMESPACE}
        ],
    }


def _build_service(address: IPv4Address) -> Mapping[str, Any]:
    udp = {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}
    return {
        **_build("v1", "Service", "kube-dns"),
        "spec": {
            "clusterIP": str(address),
            "selector": _LABELS,
            "ports": [udp, {**udp, "name": "dns-tcp", "protocol": "TCP"}],
        },
    }


def _build_deployment(node: str) -> Mapping[str, Any]:
    return {
        **_build("apps/v1", "Deployment", "coredns"),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": _build_pod_spec(node),
            },
        },
    }


def _build_pod_spec(node: str) -> Mapping[str, Any]:
    return {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {NODE_NAME_LABEL: node},
        "tolerations": [{"operator": "Exists"}],
        "dnsPolicy": "Default",
        "containers": [
            {
                "name": "coredns",
                "image": DNS_IMAGE,
                "imagePullPolicy": "Never",
                "args": ["-conf", "/etc/coredns/Corefile"],
                "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
                "readinessProbe": {
                    "httpGet": {"path": "/ready", "port": 8181},
                    "periodSeconds": 1,
                },
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }


def _build(api_version: str, kind: str, name: str) -> dict[str, Any]:
    metadata = {"name": name}
    if not kind.startswith("ClusterRole"):
        metadata["namespace"] = _NAMESPACE
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _build_rule(group: str, *resources: str) -> Mapping[str, Any]:
    return {
        "apiGroups": [group],
        "resources": list(resources),
        "verbs": ["list", "watch"],
    }
