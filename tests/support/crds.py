"""The committed CRDs, and a walk over every node of their schemas."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a CRD's schema."""

    kind: str
    path: str
    schema: dict[str, Any]
    required: bool
    below_items: bool

    def __str__(self) -> str:
        return f"{self.kind}{self.path}"

    @property
    def of_ours(self) -> bool:
        """Whether the field is ours, and not one that every object has."""
        return self.path.startswith((".spec", ".status"))


def load_crds() -> dict[str, dict[str, Any]]:
    """Return the committed CRDs by kind."""
    files = sorted((REPOSITORY / "crds").glob("*.yaml"))
    documents = [yaml.safe_load(file.read_text()) for file in files]
    return {document["spec"]["names"]["kind"]: document for document in documents}


def get_version(crd: dict[str, Any]) -> dict[str, Any]:
    """Return the only version of a CRD."""
    (version,) = crd["spec"]["versions"]
    found: dict[str, Any] = version
    return found


def get_root(crd: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a CRD's objects."""
    root: dict[str, Any] = get_version(crd)["schema"]["openAPIV3Schema"]
    return root


def walk(crd: dict[str, Any]) -> Iterator[Node]:
    """Yield every node of a CRD's schema, the root first."""
    kind = crd["spec"]["names"]["kind"]
    yield from _walk(Node(kind, "", get_root(crd), required=True, below_items=False))


def _walk(node: Node) -> Iterator[Node]:
    yield node
    schema = node.schema
    for name, child in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        yield from _walk(
            Node(node.kind, f"{node.path}.{name}", child, required, node.below_items)
        )
    if "items" in schema:
        items = Node(node.kind, f"{node.path}[]", schema["items"], True, True)  # noqa: FBT003
        yield from _walk(items)
    if "additionalProperties" in schema:
        values = schema["additionalProperties"]
        yield from _walk(Node(node.kind, f"{node.path}{{}}", values, True, True))  # noqa: FBT003


ALL_NODES = [node for crd in load_crds().values() for node in walk(crd)]
