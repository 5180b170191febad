"""What the documents show is so: manifests, chart values, links."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from kilonova_api import KINDS
from kilonova_api.names import API_VERSION
from support.crds import REPOSITORY

DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
BY_KIND = {kind.__name__: kind for kind in KINDS}
SCHEMA = json.loads((REPOSITORY / "charts/kilonova/values.schema.json").read_text())


def list_yaml() -> Iterator[Any]:
    for path in DOCUMENTS:
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL):
            for shown in yaml.safe_load_all(block):
                yield pytest.param(shown, id=f"{path.name}: {str(shown)[:40]}")


@pytest.mark.parametrize("shown", tuple(list_yaml()))
def test_a_manifest_or_values_could_be_used_as_shown(shown: dict[str, Any]) -> None:
    if "kind" in shown:
        assert shown["apiVersion"] == API_VERSION
        assert set(shown) == {"apiVersion", "kind", "metadata", "spec"}
        model: Any = BY_KIND[shown["kind"]].model_fields["spec"].annotation
        # Without their own text: a checksum is the reader's to fill in.
        spec = {key: value for key, value in shown["spec"].items() if key != "checksum"}
        errors = _find_errors(model, spec)
        assert [e for e in errors if e["loc"] != ("checksum",)] == []
    else:
        jsonschema.validate(shown, SCHEMA)


def _find_errors(model: Any, spec: dict[str, Any]) -> list[Any]:
    try:
        model.model_validate(spec, extra="forbid", by_alias=True, by_name=False)
    except ValidationError as error:
        return list(error.errors())
    return []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s:]*)(?:#([^)]*))?\)", path.read_text())
    for target, anchor in links:
        file = (path.parent / target) if target else path
        assert file.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in list_anchors(file), f"{target}#{anchor}"


def list_anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings}
