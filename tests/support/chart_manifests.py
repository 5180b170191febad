"""Objects that the policies are tried with."""

from typing import Any
from uuid import uuid4

from kilonova_api.names import (
    API_VERSION,
    HOST_NAMESPACE_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    host_namespace,
)


def build_namespace(name: str) -> dict[str, Any]:
    """Return a namespace, labelled as a host's."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {HOST_NAMESPACE_LABEL: name, MANAGED_BY_LABEL: MANAGED_BY},
        },
    }


def build_role_binding(
    name: str, namespace: str, role: str, account: str
) -> dict[str, Any]:
    """Return a binding of a ClusterRole to an account, given as namespace:name."""
    of, _, account_name = account.partition(":")
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": role,
        },
        "subjects": [{"kind": "ServiceAccount", "name": account_name, "namespace": of}],
    }


def build_server(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    """Return the smallest Server, with further fields of its spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Server",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "flavorRef": {"name": "m1.small"},
            "imageRef": {"name": "debian-13"},
            **spec,
        },
    }


def build_group(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    """Return an anti-affine ServerGroup, with further fields of its spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ServerGroup",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"policy": "AntiAffinity", **spec},
    }


def build_quota(namespace: str, **spec: Any) -> dict[str, Any]:
    """Return the one ServerQuota of a namespace."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ServerQuota",
        "metadata": {"name": "quota", "namespace": namespace},
        "spec": spec,
    }


def build_aggregate(name: str, **spec: Any) -> dict[str, Any]:
    """Return a HostAggregate."""
    return {
        "apiVersion": API_VERSION,
        "kind": "HostAggregate",
        "metadata": {"name": name},
        "spec": spec,
    }


def build_instance(host: str, name: str = "guest") -> dict[str, Any]:
    """Return an order for a host, in that host's namespace."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Instance",
        "metadata": {"name": name, "namespace": host_namespace(host)},
        "spec": {
            "server": {
                "cluster": str(uuid4()),
                "namespace": "shop",
                "name": "web-0",
                "uid": str(uuid4()),
            },
            "cell": "cell1",
            "host": host,
            "writer": 1,
            "placementGeneration": 1,
            "buildId": "b1",
            "minAgentVersion": "0.1.0",
            "powerState": "Running",
            "flavorName": "m1.small",
            "flavor": {"vcpus": 1, "ramMiB": 512},
            "imageName": "debian-13",
            "image": {
                "url": "https://images.example/debian.qcow2",
                "checksum": "sha256:" + "0" * 64,
                "format": "qcow2",
            },
            "hostname": "web-0",
        },
    }
