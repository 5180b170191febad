"""Turns pydantic's JSON schema into the structural schema of a CRD.

Kubernetes takes a subset of JSON schema: a type on every node, no references,
no unions, no titles. What pydantic says in another way is said in that subset;
what cannot be said in it at all is refused here, so that a model never promises
more than the API server enforces.
"""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_INT32_MAX = 2**31 - 1
_TAKEN_AS_THEY_ARE = (
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "pattern",
    "enum",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)
_RULES = "x-kubernetes-validations"


class UnsupportedSchema(Exception):
    """A model uses something that a structural schema cannot express."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")


def build_structural(
    schema: Mapping[str, Any],
    definitions: Mapping[str, Any],
    *,
    path: str,
    with_defaults: bool,
) -> Schema:
    """Return the structural form of one node and all below it.

    Defaults are kept on plain object fields of a spec only: one inside a list
    item shows as permanent drift in GitOps tools, and one inside a status would
    give words to a writer who did not say them.

    Raises:
        UnsupportedSchema: the model promises what a CRD cannot enforce.
    """
    node = _flatten(schema, definitions, path)
    kind = node.get("type")
    if kind not in {"object", "array", "string", "integer", "boolean"}:
        raise UnsupportedSchema(path, f"type {kind!r} is not allowed")
    result: Schema = {}
    if text := node.get("description"):
        result["description"] = " ".join(str(text).split("\n\n")[0].split())
    result["type"] = kind
    result.update({key: node[key] for key in _TAKEN_AS_THEY_ARE if key in node})
    if kind == "integer" and "format" not in node:
        small = node.get("maximum", _INT32_MAX + 1) <= _INT32_MAX
        result["format"] = "int32" if small else "int64"
    if with_defaults and (default := _strip_unset(node.get("default"))) is not None:
        result["default"] = default
    result.update(_build_children(node, definitions, path, with_defaults=with_defaults))
    if rules := [*node.get(_RULES, ()), *_key_rules(node)]:
        result[_RULES] = rules
    return result


def _flatten(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str
) -> Schema:
    """Replace references and ``X | None`` by what they stand for."""
    node = dict(schema)
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            name = str(node.pop("$ref")).rpartition("/")[2]
            node = {**definitions[name], **node}
            continue
        choices = [c for c in node.pop("anyOf") if c.get("type") != "null"]
        if len(choices) != 1:
            raise UnsupportedSchema(path, "a union of types is not allowed")
        node = {**choices[0], **node}
    if "const" in node:
        node["enum"] = [node.pop("const")]
    return node


def _strip_unset(default: Any) -> Any:
    """Return a default without what means "left out" in a model; None if that is all.

    An empty list or text is no default: it would be written back into an object
    whose author never named the field.
    """
    if isinstance(default, dict):
        kept = {key: _strip_unset(value) for key, value in default.items()}
        default = {key: value for key, value in kept.items() if value is not None}
    return None if default in ("", [], {}) else default


def _build_children(
    node: Schema, definitions: Mapping[str, Any], path: str, *, with_defaults: bool
) -> Schema:
    if node["type"] == "array":
        items = build_structural(
            node["items"], definitions, path=f"{path}[]", with_defaults=False
        )
        return {"items": items}
    if node["type"] != "object":
        return {}
    if values := node.get("additionalProperties"):
        inner = build_structural(
            values, definitions, path=f"{path}{{}}", with_defaults=False
        )
        return {"additionalProperties": inner}
    return {
        "properties": {
            name: build_structural(
                child,
                definitions,
                path=f"{path}.{name}",
                with_defaults=with_defaults,
            )
            for name, child in node["properties"].items()
        }
    }


def _key_rules(node: Schema) -> list[dict[str, str]]:
    """Say the bounds of a map's keys in CEL: the schema has no word for them."""
    names = node.get("propertyNames")
    if not names:
        return []
    least, most = names.get("minLength", 0), names["maxLength"]
    return [
        {
            "rule": f"self.all(key, key.size() >= {least} && key.size() <= {most})",
            "message": f"each key must be {least} to {most} characters long",
        }
    ]
