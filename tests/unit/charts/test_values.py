"""The chart's values: each is documented, and each is known to the schema."""

import json
import re
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from kilonova_agent.settings import AgentSettings
from kilonova_api.settings import list_variables
from kilonova_operator.domain.scheduling.options import LEAST
from kilonova_operator.process.scheduling import list_option_names
from kilonova_operator.settings import Settings
from support.chart_readme import (
    CHART,
    README,
    build_readme,
    read_comments,
    read_defaults,
)
from support.crds import REPOSITORY

TEMPLATES = sorted((REPOSITORY / "charts").glob("*/templates/**/*"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def test_every_value_is_documented_and_nothing_else() -> None:
    assert set(read_comments()) == set(read_defaults())


def test_the_readme_is_what_values_yaml_says() -> None:
    assert README.read_text() == build_readme()


@pytest.mark.parametrize("key", read_defaults())
def test_every_value_is_known_to_the_schema(key: str) -> None:
    node: dict[str, Any] = SCHEMA
    for name in key.split("."):
        node = _resolve(node)["properties"][name]


@pytest.mark.parametrize(
    ("folder", "kind"), [("agent", AgentSettings), ("operator", Settings)]
)
def test_the_chart_sets_nothing_that_nobody_reads(
    folder: str, kind: type[BaseSettings]
) -> None:
    files = sorted((CHART / "templates" / folder).iterdir())
    named = {
        name
        for file in files
        for name in re.findall(r"\bKILONOVA_[A-Z_]+\b(?!\{)", file.read_text())
    }
    assert len(named) > 5
    assert named - {"KILONOVA_"} <= set(list_variables(kind))


def test_the_schema_knows_every_option_of_the_scheduler_and_no_other() -> None:
    options = SCHEMA["properties"]["scheduler"]["properties"]["options"]
    assert options["additionalProperties"] is False
    assert set(options["properties"]) == set(list_option_names())
    for name, least in LEAST.items():
        assert options["properties"][name]["minimum"] == least, name


def test_every_map_of_values_refuses_unknown_keys() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    open_maps = [
        path
        for path, value in _maps(values, "", SCHEMA)
        if value.get("additionalProperties") is not False
    ]
    assert open_maps == []


def _maps(values: Any, path: str, schema: Any) -> list[tuple[str, Any]]:
    """Return the maps above documented keys with their schemas."""
    resolved = _resolve(schema)
    if not isinstance(values, dict) or path in read_comments():
        return []
    found = [(path, resolved)]
    for name, child in values.items():
        below = f"{path}.{name}" if path else name
        found += _maps(child, below, resolved["properties"][name])
    return found


def _resolve(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        found: dict[str, Any] = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
        return found
    return node


@pytest.mark.parametrize("extra", ["global", "enabled"])
def test_the_chart_can_be_a_subchart(extra: str) -> None:
    assert extra in SCHEMA["properties"]


@pytest.mark.parametrize(
    "template",
    [path for path in TEMPLATES if path.is_file()],
    ids=lambda path: str(path.relative_to(REPOSITORY)),
)
def test_a_template_renders_the_same_each_time(template: Any) -> None:
    unsure = r"\b(lookup|rand\w+|gen[A-Z]\w+|now|uuidv4|htpasswd|date\w*)\b"
    actions = re.findall(r"{{.*?}}", template.read_text(), re.DOTALL)
    assert [action for action in actions if re.search(unsure, action)] == []
