"""The models read what the API server serves and write what it takes."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from kilonova_api import KINDS, ComputeHost, Server
from kilonova_api.meta import KubeObject
from support.crds import REPOSITORY

VALID = REPOSITORY / "tests" / "data" / "api" / "valid.yaml"
DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all(VALID.read_text()))
MODELS: dict[str, type[KubeObject]] = {kind.__name__: kind for kind in KINDS}
LEAST_SERVER: dict[str, Any] = {
    "metadata": {"name": "web-0", "namespace": "shop"},
    "spec": {"flavorRef": {"name": "m1.small"}, "imageRef": {"name": "debian-13"}},
}


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda d: f"{d['kind']}-{d['metadata']['name']}"
)
def test_no_field_is_lost_between_reading_and_writing(document: dict[str, Any]) -> None:
    written = MODELS[document["kind"]].model_validate(document).wire()
    assert _missing(document, written, "") == []


def _missing(wanted: Any, got: Any, path: str) -> list[str]:
    if isinstance(wanted, dict) and isinstance(got, dict):
        return [
            problem
            for key, value in wanted.items()
            for problem in _missing(value, got.get(key), f"{path}.{key}")
        ]
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return [
            problem
            for index, (value, other) in enumerate(zip(wanted, got, strict=True))
            for problem in _missing(value, other, f"{path}[{index}]")
        ]
    return [] if wanted == got else [path]


def test_what_is_not_set_is_not_written() -> None:
    spec = Server.model_validate(LEAST_SERVER).wire()["spec"]
    assert {"userData", "userDataRef", "deletion"} & spec.keys() == set()


def test_a_field_of_a_newer_crd_is_no_error() -> None:
    newer = {**LEAST_SERVER, "spec": {**LEAST_SERVER["spec"], "tenancy": "Dedicated"}}
    assert Server.model_validate(newer).spec.flavor_ref.name == "m1.small"


def test_an_object_that_was_read_cannot_be_changed() -> None:
    server = Server.model_validate(LEAST_SERVER)
    with pytest.raises(ValidationError, match="frozen"):
        server.metadata.name = "other"  # type: ignore[misc]


def test_conditions_are_found_by_type() -> None:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Running",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {"observedGeneration": 1, "conditions": [ready]}
    server = Server.model_validate({**LEAST_SERVER, "status": status})
    assert server.status.is_true("Ready")
    assert not server.status.is_true("Stalled")
    assert server.status.condition("Stalled") is None


def test_an_object_that_nobody_saw_has_seen_no_generation() -> None:
    assert Server.model_validate(LEAST_SERVER).status.observed_generation == -1


@pytest.mark.parametrize(
    ("document", "key"),
    [
        pytest.param(LEAST_SERVER, "shop/web-0", id="namespaced"),
        pytest.param({"metadata": {"name": "hv1"}}, "hv1", id="cluster-scoped"),
    ],
)
def test_a_key_names_an_object_as_kubectl_does(
    document: dict[str, Any], key: str
) -> None:
    kind = Server if "spec" in document else ComputeHost
    assert kind.model_validate(document).key == key


def test_an_error_names_the_field_and_shows_nothing_of_what_is_in_it() -> None:
    spec = LEAST_SERVER["spec"] | {"userData": "#secret " + "x" * 49152 + " secret#"}
    with pytest.raises(ValidationError) as refused:
        Server.model_validate({**LEAST_SERVER, "spec": spec})
    assert "userData" in str(refused.value)
    assert "secret" not in str(refused.value)
