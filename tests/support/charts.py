"""The charts, rendered by the lab's helm without a cluster."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml

from kilonova_lab.deploy.kubectl import Outcome
from kilonova_lab.programs import KUBE, ProgramCache
from support.crds import REPOSITORY
from support.kubectl import Cli

CHART = REPOSITORY / "charts" / "kilonova"
CRD_CHART = REPOSITORY / "charts" / "kilonova-crds"
CI_VALUES = sorted((CHART / "ci").glob("*.yaml"))
NAMESPACE = "kilonova-system"
Manifest = dict[str, Any]


@cache
def _offline() -> Cli:
    programs = ProgramCache().ensure(KUBE)["kube"]
    return Cli(programs, Path("/nonexistent/kubeconfig"))


def lint(chart: Path, *options: str) -> Outcome:
    """Lint a chart strictly."""
    return _offline().run("helm", "lint", "--strict", str(chart), *options)


def try_template(chart: Path, *options: str) -> Outcome:
    """Render a chart; whatever helm says is returned."""
    return _offline().run(
        "helm", "template", "kilonova", str(chart), "--namespace", NAMESPACE, *options
    )


@cache
def render_text(chart: Path, *options: str) -> str:
    """Render a chart that must render."""
    outcome = try_template(chart, *options)
    assert outcome.ok, str(outcome)
    return outcome.stdout


@cache
def render(chart: Path, *options: str) -> list[Manifest]:
    """Return a chart's objects; they are shared, so leave them as they are."""
    return _parse(render_text(chart, *options))


def _parse(text: str) -> list[Manifest]:
    documents = yaml.load_all(text, Loader=yaml.CSafeLoader)
    return [document for document in documents if document]


def render_values(values: Mapping[str, Any]) -> list[Manifest]:
    """Return Kilonova's objects with these values."""
    with NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values, file)
        file.flush()
        outcome = try_template(CHART, "--values", file.name)
    assert outcome.ok, str(outcome)
    return _parse(outcome.stdout)


def find(manifests: list[Manifest], kind: str, name: str) -> Manifest | None:
    """Return one of the objects, if it is there."""
    return next(
        (m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)),
        None,
    )


def get(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """Return one of the objects."""
    found = find(manifests, kind, name)
    assert found is not None, f"no {kind} {name}"
    return found
