"""Whether objects and clients of a released CRD can live with the one of today."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]
_LOWER_IS_NARROWER = ("maxLength", "maxItems", "maximum", "maxProperties")
_HIGHER_IS_NARROWER = ("minLength", "minItems", "minimum", "minProperties")
_MUST_NOT_CHANGE = (
    *("type", "format", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    "x-kubernetes-map-type",
)


@dataclass(frozen=True, slots=True)
class _Pair:
    """One place of a schema, as it was and as it is."""

    path: str
    old: Schema
    new: Schema
    below_items: bool = False


def read_released_crds(repository: Path) -> dict[str, dict[str, Any]] | None:
    """Return the CRDs of the last tag ``v*`` by kind; None where there is no tag."""
    tag = _git(repository, "describe", "--tags", "--abbrev=0", "--match=v*").strip()
    if not tag:
        return None
    listed = _git(repository, "ls-tree", "--name-only", tag, "crds/").split()
    texts = [_git(repository, "show", f"{tag}:{f}") for f in listed if ".yaml" in f]
    crds = [yaml.safe_load(text) for text in texts]
    return {crd["spec"]["names"]["kind"]: crd for crd in crds}


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def find_breaks(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Say what of the old CRD's objects and clients would not work with the new one."""
    kind = old["spec"]["names"]["kind"]
    breaks = [
        f"{kind}: {word} changed"
        for word, was, now in (
            ("scope", old["spec"]["scope"], new["spec"]["scope"]),
            ("names.kind", kind, new["spec"]["names"]["kind"]),
            ("names.plural", *(crd["spec"]["names"]["plural"] for crd in (old, new))),
        )
        if was != now
    ]
    versions = {version["name"]: version for version in new["spec"]["versions"]}
    for version in old["spec"]["versions"]:
        place = f"{kind} {version['name']}"
        found = versions.get(version["name"])
        if version["served"] and not (found and found["served"]):
            breaks.append(f"{place}: no longer served")
        elif found:
            schemas = [v["schema"]["openAPIV3Schema"] for v in (version, found)]
            breaks += _compare(_Pair(place, *schemas))
    return breaks


def _compare(pair: _Pair) -> Iterator[str]:
    yield from _compare_place(pair)
    was, now = pair.old.get("properties", {}), pair.new.get("properties", {})
    for name, schema in was.items():
        path = f"{pair.path}.{name}"
        if name in now:
            yield from _compare(_Pair(path, schema, now[name], pair.below_items))
        else:
            yield f"{path}: removed"
    for name in now.keys() - was.keys():
        if pair.below_items:
            yield from _find_defaults(f"{pair.path}.{name}", now[name])
    for keyword, mark in (("items", "[]"), ("additionalProperties", "{}")):
        below = pair.old.get(keyword), pair.new.get(keyword)
        if all(isinstance(schema, dict) for schema in below):
            in_items = pair.below_items or keyword == "items"
            yield from _compare(_Pair(pair.path + mark, *below, in_items))  # type: ignore[arg-type]


def _compare_place(pair: _Pair) -> Iterator[str]:
    old, new, path = pair.old, pair.new, pair.path
    for name in sorted({*new.get("required", ())} - {*old.get("required", ())}):
        yield f"{path}.{name}: newly required"
    for keyword in _MUST_NOT_CHANGE:
        if old.get(keyword) != new.get(keyword):
            yield f"{path}: {keyword} changed"
    if old.get("default") != new.get("default"):
        if "default" in old:
            yield f"{path}: default changed"
        elif pair.below_items:
            yield f"{path}: new default in a list"
    yield from _find_narrower(pair)


def _find_narrower(pair: _Pair) -> Iterator[str]:
    old, new, path = pair.old, pair.new, pair.path
    gone = {*old.get("enum", ())} - {*new.get("enum", ())}
    if gone and "enum" in new:
        yield f"{path}: enum lost {', '.join(sorted(map(str, gone)))}"
    if "enum" in new and "enum" not in old:
        yield f"{path}: newly an enum"
    for keyword, sign in (
        *((keyword, 1) for keyword in _LOWER_IS_NARROWER),
        *((keyword, -1) for keyword in _HIGHER_IS_NARROWER),
    ):
        was, now = old.get(keyword), new.get(keyword)
        if now is not None and (was is None or now * sign < was * sign):
            yield f"{path}: {keyword} is narrower"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{path}: pattern changed"


def _find_defaults(path: str, schema: Schema) -> Iterator[str]:
    """Yield the defaults of a field that is new below a list."""
    if "default" in schema:
        yield f"{path}: new default in a list"
    for name, child in schema.get("properties", {}).items():
        yield from _find_defaults(f"{path}.{name}", child)
    if isinstance(schema.get("items"), dict):
        yield from _find_defaults(f"{path}[]", schema["items"])
