"""What every field of every CRD must have, so that no tool trips over it."""

import json
from typing import Any

import pytest

from support.crds import ALL_NODES, Node, get_root, load_crds

CRDS = load_crds()
OURS = [node for node in ALL_NODES if node.of_ours]
FIELDS = [node for node in OURS if not node.path.endswith(("[]", "{}"))]
STRUCTURAL_KEYS = {
    "description", "type", "format", "properties", "required", "items",
    "additionalProperties", "default", "enum", "pattern", "minLength", "maxLength",
    "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations",
}  # fmt: skip


def _where(nodes: list[Node]) -> list[str]:
    return [str(node) for node in nodes]


def _of_type(kind: str) -> list[Node]:
    return [node for node in OURS if node.schema["type"] == kind]


def test_every_field_says_more_than_its_name() -> None:
    poor = [
        node
        for node in FIELDS
        if len(node.schema.get("description", "")) < 15
        or node.schema["description"].lower() == node.path.rpartition(".")[2].lower()
    ]
    assert _where(poor) == []


def test_every_object_in_a_list_is_described() -> None:
    poor = [
        node
        for node in OURS
        if node.path.endswith("[]")
        and node.schema["type"] == "object"
        and len(node.schema.get("description", "")) < 15
    ]
    assert _where(poor) == []


def test_every_list_says_how_it_is_merged_and_how_long_it_may_be() -> None:
    untyped = [
        node
        for node in _of_type("array")
        if node.schema.get("x-kubernetes-list-type") not in {"map", "set", "atomic"}
        or "maxItems" not in node.schema
    ]
    assert _where(untyped) == []


def test_the_keys_of_list_maps_are_required() -> None:
    loose = [
        node
        for node in _of_type("array")
        if not set(node.schema.get("x-kubernetes-list-map-keys", ()))
        <= set(node.schema["items"].get("required", ()))
    ]
    assert _where(loose) == []


def test_every_string_has_a_bound() -> None:
    bounds = {"maxLength", "enum", "format"}
    endless = [node for node in _of_type("string") if not bounds & node.schema.keys()]
    assert _where(endless) == []


def test_every_number_has_both_bounds_and_a_width() -> None:
    needed = {"minimum", "maximum", "format"}
    endless = [node for node in _of_type("integer") if not needed <= node.schema.keys()]
    assert _where(endless) == []


def test_every_bound_survives_the_api_servers_float64() -> None:
    rounded = [
        node
        for node in _of_type("integer")
        if int(json.loads(f"{float(node.schema['maximum']):.0f}"))
        != node.schema["maximum"]
    ]
    assert _where(rounded) == []


def test_every_map_has_a_bound_on_its_size_its_keys_and_its_values() -> None:
    endless = [
        node
        for node in OURS
        if "additionalProperties" in node.schema
        and not (
            "maxProperties" in node.schema
            and {"maxLength", "maximum"} & node.schema["additionalProperties"].keys()
            and "key.size()" in json.dumps(node.schema["x-kubernetes-validations"])
        )
    ]
    assert _where(endless) == []


def test_no_default_stands_in_a_list_or_in_a_status() -> None:
    wrong = [
        node
        for node in ALL_NODES
        if "default" in node.schema
        and (node.below_items or node.path.startswith(".status."))
    ]
    assert _where(wrong) == []


def test_no_default_is_empty() -> None:
    empty = [node for node in ALL_NODES if node.schema.get("default") in ("", [], {})]
    assert _where(empty) == []


def test_no_field_takes_null_floats_or_anything_at_all() -> None:
    forbidden = {"nullable", "x-kubernetes-int-or-string"}
    forbidden |= {"x-kubernetes-preserve-unknown-fields"}
    loose = [
        node
        for node in OURS
        if forbidden & node.schema.keys() or node.schema["type"] == "number"
    ]
    assert _where(loose) == []


@pytest.mark.parametrize("kind", CRDS)
def test_a_crd_fits_into_the_annotation_of_client_side_apply(kind: str) -> None:
    assert len(json.dumps(CRDS[kind])) < 200_000


def test_every_node_is_structural() -> None:
    problems = [
        (str(node), problem)
        for node in ALL_NODES
        for problem in _find_problems(node.schema)
    ]
    assert problems == []


def _find_problems(schema: dict[str, Any]) -> list[str]:
    found = [f"key {key}" for key in schema.keys() - STRUCTURAL_KEYS]
    if "type" not in schema:
        found.append("no type")
    if "properties" in schema and "additionalProperties" in schema:
        found.append("properties beside additionalProperties")
    return found


@pytest.mark.parametrize("kind", CRDS)
def test_conditions_are_those_of_metav1(kind: str) -> None:
    status = get_root(CRDS[kind])["properties"]["status"]
    conditions = status["properties"]["conditions"]
    item = conditions["items"]
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert set(item["properties"]) == {
        "type", "status", "observedGeneration", "lastTransitionTime", "reason",
        "message",
    }  # fmt: skip
    assert set(item["required"]) >= {"type", "status", "lastTransitionTime", "reason"}
    assert item["properties"]["reason"]["minLength"] == 1
    assert item["properties"]["status"]["enum"] == ["True", "False", "Unknown"]


@pytest.mark.parametrize("kind", CRDS)
def test_an_object_that_nobody_has_seen_says_so(kind: str) -> None:
    status = get_root(CRDS[kind])["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert status["properties"]["observedGeneration"]["format"] == "int64"
