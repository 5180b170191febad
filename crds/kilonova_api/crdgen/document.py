"""Builds the CustomResourceDefinition of a kind."""

import inspect
from typing import Any

from kilonova_api.crdgen.structural import Schema, build_structural
from kilonova_api.meta import Column, KubeObject
from kilonova_api.names import GROUP, VERSION

_UNSEEN = {"observedGeneration": -1}
"""Status of an object that nobody has looked at: kstatus calls it InProgress."""


def build_crd(kind: type[KubeObject]) -> dict[str, Any]:
    """Return the CRD of a kind, as the API server takes it."""
    crd = kind.crd
    names: dict[str, Any] = {
        "plural": crd.plural,
        "singular": kind.__name__.lower(),
        "kind": kind.__name__,
        "listKind": f"{kind.__name__}List",
        "shortNames": list(crd.short_names),
    }
    if crd.categories:
        names["categories"] = list(crd.categories)
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
    }
    if crd.selectable_fields:
        version["selectableFields"] = [{"jsonPath": f} for f in crd.selectable_fields]
    version["additionalPrinterColumns"] = [_build_column(c) for c in crd.columns]
    version["schema"] = {"openAPIV3Schema": _build_schema(kind)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{crd.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Namespaced" if crd.namespaced else "Cluster",
            "versions": [version],
        },
    }


def _build_column(column: Column) -> dict[str, Any]:
    built: dict[str, Any] = {
        "name": column.title,
        "type": column.type,
        "jsonPath": column.json_path,
        "description": column.description,
    }
    if column.wide:
        built["priority"] = 1
    return built


def _build_schema(kind: type[KubeObject]) -> Schema:
    model = kind.model_json_schema(mode="validation")
    definitions = model.get("$defs", {})
    spec = build_structural(
        model["properties"]["spec"],
        definitions,
        path=f"{kind.__name__}.spec",
        with_defaults=True,
    )
    status = build_structural(
        model["properties"]["status"],
        definitions,
        path=f"{kind.__name__}.status",
        with_defaults=False,
    )
    schema: Schema = {
        "description": inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0],
        "type": "object",
        "properties": {
            "apiVersion": {
                "description": f"The version of the API: {GROUP}/{VERSION}.",
                "type": "string",
            },
            "kind": {
                "description": f"The kind of the object: {kind.__name__}.",
                "type": "string",
            },
            "metadata": {"type": "object"},
            "spec": spec,
            "status": {**status, "default": _UNSEEN},
        },
    }
    if "spec" in model.get("required", ()):
        schema["required"] = ["spec"]
    if kind.crd.rules:
        schema["x-kubernetes-validations"] = [
            {"rule": rule, "message": message} for rule, message in kind.crd.rules
        ]
    return schema
