"""Fields that the models know and a served CRD does not."""

import copy
from typing import Any

import pytest

from kilonova_api import KINDS
from kilonova_api.meta import KubeObject
from kilonova_api.names import VERSION
from kilonova_api.server import Server
from kilonova_operator.domain.crd_fields import find_missing_fields
from support.crds import load_crds


@pytest.mark.parametrize("model", KINDS, ids=lambda model: model.__name__)
def test_the_committed_crds_lack_nothing(model: type[KubeObject]) -> None:
    assert find_missing_fields(model, load_crds()[model.__name__], VERSION) == []


def schema_of(crd: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    properties: dict[str, Any] = schema["properties"]
    return properties


def test_a_missing_field_is_named_by_its_path() -> None:
    crd = copy.deepcopy(load_crds()["Server"])
    del schema_of(crd)["status"]["properties"]["placementGeneration"]
    nic = schema_of(crd)["spec"]["properties"]["networks"]["items"]
    del nic["properties"]["networkRef"]["properties"]["kind"]
    assert find_missing_fields(Server, crd, VERSION) == [
        ".spec.networks.networkRef.kind",
        ".status.placementGeneration",
    ]


def test_a_version_that_is_not_served_is_missing_as_a_whole() -> None:
    crd = copy.deepcopy(load_crds()["Server"])
    crd["spec"]["versions"][0]["served"] = False
    assert find_missing_fields(Server, crd, VERSION) == [f"version {VERSION}"]
