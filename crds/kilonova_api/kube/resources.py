"""Kinds as the API server addresses them, and the keys of their objects."""

from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

KubeObject = dict[str, Any]
"""One object as JSON gives it; typed models are built from it elsewhere."""


class Key(NamedTuple):
    """Where an object lives: ``namespace`` is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    @classmethod
    def of(cls, namespace: str | None, name: str | None) -> "Key":
        """Build a key from what a handler got; a missing name is a ValueError."""
        if not name:
            raise ValueError("an object's key needs a name")
        return cls(namespace or "", name)

    @classmethod
    def of_object(cls, obj: KubeObject) -> "Key":
        """Build the key of an object that came from the API server."""
        metadata = obj["metadata"]
        return cls(metadata.get("namespace", ""), metadata["name"])

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Resource:
    """One served kind. ``group`` is empty for Kubernetes' core kinds.

    ``sensitive``: an error message that quotes its content is kept from logs.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    sensitive: bool = False

    @property
    def api_version(self) -> str:
        """The ``apiVersion`` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def collection_path(self, namespace: str | None = None) -> str:
        """Build the path to list, watch and create; no namespace means all."""
        root = f"/apis/{self.group}" if self.group else "/api"
        if namespace and self.namespaced:
            scope = f"/namespaces/{_segment(namespace, 'namespace')}"
        elif namespace:
            raise ValueError(f"{self.kind} is cluster-scoped: pass no namespace")
        else:
            scope = ""
        return f"{root}/{self.version}{scope}/{self.plural}"

    def path(
        self, namespace: str | None, name: str, *, subresource: str | None = None
    ) -> str:
        """Build the path of one object.

        Raises:
            ValueError: the name or namespace is missing or no path segment. An
                empty name would turn a delete into one of the whole
                collection, ``..`` would climb to another kind.
        """
        if self.namespaced and not namespace:
            raise ValueError(f"{self.kind} {name!r} needs a namespace")
        path = f"{self.collection_path(namespace)}/{_segment(name, 'name')}"
        return f"{path}/{subresource}" if subresource else path


def _segment(text: str, what: str) -> str:
    if text in {"", ".", ".."} or "/" in text or "%" in text:
        raise ValueError(f"{text!r} cannot be the {what} of an object")
    return quote(text, safe=":")


NAMESPACE = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODE = Resource("", "v1", "nodes", "Node", namespaced=False)
POD = Resource("", "v1", "pods", "Pod")
CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
SECRET = Resource("", "v1", "secrets", "Secret", sensitive=True)
SERVICE_ACCOUNT = Resource("", "v1", "serviceaccounts", "ServiceAccount")
LEASE = Resource("coordination.k8s.io", "v1", "leases", "Lease")
ROLE_BINDING = Resource(
    "rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"
)
CUSTOM_RESOURCE_DEFINITION = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
