"""Every supported Kubernetes version knows every field that the charts render."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from support.charts import CHART, CI_VALUES, CRD_CHART, NAMESPACE, render
from support.kubernetes_schemas import find_fault, list_versions

OLDEST = "1.32"
FIRST_WITH_MUTATING_POLICIES = "1.36"
VERSIONS = list_versions(since=OLDEST)
PLAIN: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "plain", "namespace": NAMESPACE},
}


def test_the_oldest_version_is_the_one_that_the_chart_names() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={OLDEST}.0-0"
    assert FIRST_WITH_MUTATING_POLICIES in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)
def test_every_field_is_known_to(version: str, values: Path) -> None:
    serves = VERSIONS.index(version) >= VERSIONS.index(FIRST_WITH_MUTATING_POLICIES)
    mutating = f"admission.mutating={str(serves).lower()}"
    manifests = render(CHART, "--values", str(values), "--set", mutating)
    assert _find_faults(manifests, version) == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_field_of_the_crds_is_known_to(version: str) -> None:
    assert _find_faults(render(CRD_CHART), version) == {}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"dta": {}}, "'dta' was unexpected"),
        ({"data": {"key": 1}}, "1 is not of type 'string'"),
        ({"apiVersion": "v9"}, "has no ConfigMap of v9"),
    ],
    ids=["an unknown field", "a wrong type", "an unknown version"],
)
def test_the_judge_finds(version: str, fault: dict[str, Any], said: str) -> None:
    assert find_fault(PLAIN, version) is None
    assert said in (find_fault(PLAIN | fault, version) or "")


def _find_faults(manifests: list[dict[str, Any]], version: str) -> dict[str, str]:
    return {
        f"{manifest['kind']} {manifest['metadata']['name']}": fault
        for manifest in manifests
        if (fault := find_fault(manifest, version))
    }
