"""A new release takes the objects of the last one, and its clients still work."""

import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.crd_backwards import find_breaks, read_released_crds
from support.crds import REPOSITORY, load_crds

Crd = dict[str, Any]
NIC = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "maxLength": 15}},
}
SPEC = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "minimum": 1, "default": 1},
        "mode": {"type": "string", "enum": ["On", "Off"]},
        "nics": {"type": "array", "maxItems": 4, "items": NIC},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
RELEASED: Crd = {
    "spec": {
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}}
                },
            }
        ],
    }
}


def get_spec(crd: Crd) -> Crd:
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    spec: Crd = root["properties"]["spec"]
    return spec


def get_nic(crd: Crd) -> Crd:
    nic: Crd = get_spec(crd)["properties"]["nics"]["items"]
    return nic


def change(edit: Callable[[Crd], object]) -> list[str]:
    """Say what an edit breaks."""
    new = deepcopy(RELEASED)
    edit(new)
    return find_breaks(RELEASED, new)


def put(where: Crd, *path: str, value: Any) -> None:
    for name in path[:-1]:
        where = where[name]
    where[path[-1]] = value


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda c: get_spec(c)["properties"].pop("mode"), ".spec.mode: removed"),
        (
            lambda c: get_nic(c)["properties"].pop("name"),
            ".spec.nics[].name: removed",
        ),
        (
            lambda c: put(get_spec(c), "required", value=["size"]),
            ".spec.size: newly required",
        ),
        (
            lambda c: put(get_nic(c), "properties", "mtu", value={"default": 1500}),
            ".spec.nics[].mtu: new default in a list",
        ),
        (
            lambda c: put(get_nic(c), "properties", "name", "default", value="eth0"),
            ".spec.nics[].name: new default in a list",
        ),
        (
            lambda c: put(get_spec(c), "properties", "size", "default", value=2),
            ".spec.size: default changed",
        ),
        (
            lambda c: put(get_spec(c), "properties", "size", "type", value="string"),
            ".spec.size: type changed",
        ),
        (
            lambda c: put(
                get_spec(c),
                *("properties", "labels", "additionalProperties", "type"),
                value="integer",
            ),
            ".spec.labels{}: type changed",
        ),
        (
            lambda c: put(get_spec(c), "properties", "mode", "enum", value=["On"]),
            ".spec.mode: enum lost Off",
        ),
        (
            lambda c: put(get_spec(c), "properties", "size", "minimum", value=2),
            ".spec.size: minimum is narrower",
        ),
        (
            lambda c: put(get_nic(c), "properties", "name", "maxLength", value=9),
            ".spec.nics[].name: maxLength is narrower",
        ),
        (
            lambda c: put(get_nic(c), "properties", "name", "pattern", value="^e"),
            ".spec.nics[].name: pattern changed",
        ),
        (lambda c: put(c, "spec", "scope", value="Cluster"), "scope changed"),
        (
            lambda c: put(c["spec"]["versions"][0], "served", value=False),
            "Thing v1: no longer served",
        ),
    ],
)
def test_a_break_is_found(edit: Callable[[Crd], object], said: str) -> None:
    (found,) = change(edit)
    assert found.endswith(said)


@pytest.mark.parametrize(
    "edit",
    [
        lambda _: None,
        lambda c: put(get_spec(c), "properties", "new", value={"default": 1}),
        lambda c: put(get_nic(c), "properties", "mtu", value={"type": "integer"}),
        lambda c: put(
            get_spec(c),
            "properties",
            "new",
            value={"required": ["a"], "properties": {}},
        ),
        lambda c: put(
            get_spec(c), "properties", "mode", "enum", value=["On", "Off", "B"]
        ),
        lambda c: put(get_nic(c), "properties", "name", "maxLength", value=63),
        lambda c: get_nic(c).pop("required"),
        lambda c: c["spec"]["versions"].append({"name": "v2", "served": True}),
    ],
    ids=range(8),
)
def test_what_only_adds_breaks_nothing(edit: Callable[[Crd], object]) -> None:
    assert change(edit) == []


def test_the_crds_of_the_last_tag_are_read_from_git(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        command = ["git", "-C", str(tmp_path), *who, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "crds").mkdir()
    file = tmp_path / "crds" / "things.yaml"
    for text in (yaml.safe_dump(RELEASED), yaml.safe_dump({"later": True})):
        assert bool(read_released_crds(tmp_path)) == ("later" in text)
        file.write_text(text)
        git("add", ".")
        git("commit", "-q", "-m", "change", "--no-gpg-sign")
        if "later" not in text:
            git("-c", "tag.gpgSign=false", "tag", "v0.1.0")
    assert read_released_crds(tmp_path) == {"Thing": RELEASED}


def test_the_crds_break_nothing_of_the_last_release() -> None:
    released = read_released_crds(REPOSITORY)
    if released is None:
        pytest.skip("git knows no tag v*: nothing was released yet")
    now = load_crds()
    gone = released.keys() - now.keys()
    breaks = [f"{kind}: removed" for kind in gone]
    for kind in released.keys() & now.keys():
        breaks += find_breaks(released[kind], now[kind])
    assert breaks == []
