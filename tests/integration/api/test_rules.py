"""The CEL rules, decided by the API server itself."""

import json
from secrets import token_hex
from typing import Any

import pytest

from kilonova_api import KINDS
from kilonova_api.meta import KubeObject
from kilonova_lab.api import ApiRefused
from kilonova_lab.controlplane import ControlPlane
from support.crd_rule_case import Case
from support.crd_rule_cases import CASES

_KINDS: dict[str, type[KubeObject]] = {kind.__name__: kind for kind in KINDS}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_api_server_decides_as_the_case_says(
    api_server: ControlPlane, case: Case
) -> None:
    attempt = _Attempt(api_server, case)
    if case.allowed:
        attempt.make()
        attempt.clean_up()
        return
    with pytest.raises(ApiRefused) as refused:
        attempt.make()
    assert refused.value.status == 422
    assert case.rule in str(refused.value)


class _Attempt:
    """A case as requests: create, then update, each of spec or status."""

    def __init__(self, control_plane: ControlPlane, case: Case) -> None:
        self._api = control_plane.api
        self._case = case
        kind = _KINDS[case.kind]
        self._namespaced = kind.crd.namespaced
        self._collection = kind.resource().collection_path(
            "default" if self._namespaced else None
        )
        self._name = f"case-{token_hex(6)}"

    def make(self) -> None:
        if self._case.path.startswith(".status"):
            created = self._create(self._case.new_object)
            self._put({**created, "status": self._case.new_object["status"]}, "/status")
        elif self._case.old_object is None:
            self._create(self._case.new_object)
        else:
            created = self._create(self._case.old_object)
            self._put({**created, **self._case.new_object}, "")

    def clean_up(self) -> None:
        """Delete what was made: the next case may need the name."""
        self._api.delete(f"{self._collection}/{self._name}")

    def _create(self, obj: dict[str, Any]) -> dict[str, Any]:
        metadata = {"name": self._name, **obj.get("metadata", {})}
        self._name = metadata["name"]
        body = {
            "apiVersion": "compute.kilonova.dev/v1alpha1",
            "kind": self._case.kind,
            **obj,
            "metadata": metadata,
        }
        return self._api.create(self._collection, body)

    def _put(self, obj: dict[str, Any], subresource: str) -> None:
        path = f"{self._collection}/{self._name}{subresource}"
        json.loads(self._api.request("PUT", path, body=obj))
