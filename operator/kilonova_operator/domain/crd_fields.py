"""Which fields of our models a served CRD lacks.

Server-side apply of a field that the CRD does not have ends in an HTTP 500, and
a status without it would be silently incomplete: an operator that is newer than
its CRDs must not write at all.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from kilonova_api.meta import CrdModel, KubeObject

_OF_EVERY_OBJECT = {"api_version", "kind", "metadata"}


def find_missing_fields(
    model: type[KubeObject], crd: Mapping[str, Any], version: str
) -> list[str]:
    """Return paths of the model's fields that the CRD's version does not serve."""
    for served in crd["spec"]["versions"]:
        if served["name"] == version and served["served"]:
            schema = served.get("schema", {}).get("openAPIV3Schema", {})
            return list(_missing(model, schema, ""))
    return [f"version {version}"]


def _missing(
    model: type[CrdModel], schema: Mapping[str, Any], path: str
) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name, field in model.model_fields.items():
        if name in _OF_EVERY_OBJECT and not path:
            continue
        alias = field.alias or name
        here = f"{path}.{alias}"
        if alias not in properties:
            yield here
            continue
        for nested in _nested_models(field.annotation):
            inner = properties[alias]
            yield from _missing(nested, inner.get("items", inner), here)


def _nested_models(annotation: Any) -> Iterator[type[CrdModel]]:
    if isinstance(annotation, type) and issubclass(annotation, CrdModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _nested_models(argument)
