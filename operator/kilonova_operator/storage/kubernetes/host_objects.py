"""Objects that give a host its mailbox and its account: pure builders.

The rights themselves stand in ClusterRoles of the chart. The operator binds
them in the host's namespace only: to make a Role it would have to hold every
right in it, and listing Secrets is one it must not have.
"""

from kilonova_api.kube.resources import KubeObject
from kilonova_api.names import (
    HOST_NAMESPACE_LABEL,
    HOSTS_NAMESPACE,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    host_namespace,
)

AGENT_BINDING = "kilonova-agent"
CONDUCTOR_BINDING = "kilonova-conductor"
_LABEL_CHARACTERS = 63
_RBAC = "rbac.authorization.k8s.io"


def host_label(host: str) -> str:
    """Return the host's name as a label can hold it."""
    return host[:_LABEL_CHARACTERS].rstrip("-.")


def build_host_namespace(host: str) -> KubeObject:
    """Return the namespace of the host's Instances, Secrets and heartbeat."""
    labels = {HOST_NAMESPACE_LABEL: host_label(host), MANAGED_BY_LABEL: MANAGED_BY}
    return {"metadata": {"name": host_namespace(host), "labels": labels}}


def build_hosts_namespace() -> KubeObject:
    """Return the namespace of the hosts' accounts, which the chart made first."""
    labels = {MANAGED_BY_LABEL: MANAGED_BY}
    return {"metadata": {"name": HOSTS_NAMESPACE, "labels": labels}}


def build_host_account(host: str) -> KubeObject:
    """Return the account that the host's agent acts as, named as its Node."""
    return {
        "metadata": {
            "name": host,
            "namespace": HOSTS_NAMESPACE,
            "labels": {MANAGED_BY_LABEL: MANAGED_BY},
        },
        "automountServiceAccountToken": False,
    }


def build_binding(
    host: str, name: str, *, cluster_role: str, account: tuple[str, str]
) -> KubeObject:
    """Bind a ClusterRole to an account (namespace, name), in the host's namespace."""
    namespace, account_name = account
    return {
        "metadata": {
            "name": name,
            "namespace": host_namespace(host),
            "labels": {MANAGED_BY_LABEL: MANAGED_BY},
        },
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": cluster_role},
        "subjects": [
            {"kind": "ServiceAccount", "namespace": namespace, "name": account_name}
        ],
    }
