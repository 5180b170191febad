"""What the API servers of other Kubernetes versions say of an object."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from kubernetes_validate.utils import all_versions, schema_contents
from referencing import Registry, Resource


def list_versions(*, since: str) -> list[str]:
    """Return the known versions from one on, as ``1.32``."""
    known = [version.rpartition(".")[0] for version in all_versions()]
    return known[known.index(since) :]


def find_fault(manifest: dict[str, Any], version: str) -> str | None:
    """Judge an object strictly, so that an unknown field is a fault too."""
    group, _, name = manifest["apiVersion"].rpartition("/")
    kind, short = manifest["kind"], group.partition(".")[0]
    file = "-".join(part for part in (kind.lower(), short, name) if part)
    try:
        validator = _build_validator(version, file)
    except FileNotFoundError:
        return f"Kubernetes {version} has no {kind} of {manifest['apiVersion']}"
    worst = best_match(validator.iter_errors(manifest))
    return f"{worst.json_path}: {worst.message}" if worst else None


@cache
def _build_validator(version: str, file: str) -> Draft202012Validator:
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    schema = schema_contents(f"{folder}/{file}.json", version)
    own = Resource.from_contents(schema)
    registry: Registry[Any] = own @ (_read_definitions(folder, version) @ Registry())
    return Draft202012Validator(schema, registry=registry)


@cache
def _read_definitions(folder: str, version: str) -> Resource[Any]:
    return Resource.from_contents(
        schema_contents(f"{folder}/_definitions.json", version)
    )
