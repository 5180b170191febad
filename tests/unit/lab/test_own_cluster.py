"""Kilonova on a cluster of somebody's own, whose nodes pull from a registry."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kilonova_lab.deploy import up as deployment
from kilonova_lab.deploy.quickstart import GuestFile
from kilonova_lab.deploy.up import deploy, up
from kilonova_lab.errors import LabError
from kilonova_lab.existing import ExistingCluster
from kilonova_lab.images import BuiltImage
from kilonova_lab.images.archive import ImageConfig, LayerFile, write_archive
from kilonova_lab.stopwatch import Stopwatch
from support.charts import CHART, try_template

REGISTRY = "registry.example/team/kilonova"
ROLES = ("operator", "agent", "libvirt")
SERVICE = {"kind": "Service", "spec": {"clusterIP": "172.20.3.4"}}

# Notes what it was given: its arguments, its input, the file after --values.
_PROGRAM = """#!/bin/sh
case "$*" in *" services "*) cat {folder}/service.json; exit;; esac
number=$(ls {folder} | wc -l)
echo "$*" >{folder}/$number.argv
while [ $# -gt 0 ]; do
  case "$1" in
    --values) cp "$2" {folder}/$number.values ;;
    -f) cat >{folder}/$number.applied ;;
  esac
  shift
done
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """What kubectl and helm were told."""

    folder: Path

    def read_values(self) -> dict[str, Any]:
        """Return the values of the release ``kilonova``."""
        (argv,) = (f for f in self.folder.glob("*.argv") if CHART.name in named(f))
        values: dict[str, Any] = json.loads(argv.with_suffix(".values").read_text())
        return values

    def read_applied(self) -> list[dict[str, Any]]:
        """Return the objects that kubectl applied."""
        (applied,) = self.folder.glob("*.applied")
        items: list[dict[str, Any]] = json.loads(applied.read_text())["items"]
        return items


def named(argv: Path) -> list[str]:
    return [Path(word).name for word in argv.read_text().split()]


def build_image(folder: Path, role: str) -> BuiltImage:
    archive, reference = folder / f"{role}.tar", f"localhost/kilonova-{role}:abc"
    write_archive(
        archive, reference, layers=[[LayerFile("x", b"x")]], config=ImageConfig(())
    )
    return BuiltImage(role, archive, reference, "sha256:0")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExistingCluster:
    images = {role: build_image(tmp_path, role) for role in ROLES}
    server = build_image(tmp_path, "image-server")
    monkeypatch.setattr(deployment, "build_images", lambda **_: images)
    monkeypatch.setattr(deployment, "ensure_image_server", lambda **_: (server, None))
    guest = GuestFile("http://images/tiny.qcow2", "0" * 64)
    monkeypatch.setattr(deployment, "build_guest_file", lambda: guest)
    monkeypatch.setattr(ExistingCluster, "bin_folders", [tmp_path])
    (tmp_path / "mine").write_text("{}")
    return ExistingCluster.open(tmp_path / "mine")


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    folder = tmp_path / "heard"
    folder.mkdir()
    (folder / "service.json").write_text(json.dumps(SERVICE))
    for name in ("kubectl", "helm"):
        program = tmp_path / name
        program.write_text(_PROGRAM.format(folder=shlex.quote(str(folder))))
        program.chmod(0o755)
    return Heard(folder)


def silent() -> Stopwatch:
    return Stopwatch(lambda _: None)


def test_without_a_registry_it_says_what_to_push_where_and_what_to_call_then(
    cluster: ExistingCluster, heard: Heard, tmp_path: Path
) -> None:
    with pytest.raises(LabError) as refused:
        deploy(cluster, silent())
    said = str(refused.value)
    for role in (*ROLES, "image-server"):
        push = f"skopeo copy oci-archive:{tmp_path}/{role}.tar docker://"
        assert f"{push}registry.example/kilonova/kilonova-{role}:abc\n" in said
    again = f"make up CLUSTER={tmp_path}/mine REGISTRY=registry.example/kilonova"
    assert said.endswith(again)
    assert list(heard.folder.glob("*.argv")) == [], "nothing was installed"


def test_with_a_registry_helm_gets_it_and_every_pod_pulls_from_there(
    cluster: ExistingCluster,
    heard: Heard,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    deploy(ExistingCluster(cluster.kubeconfig, REGISTRY), silent())
    values = heard.read_values()
    assert values["image"] == {"registry": REGISTRY}
    assert values["images"] == {"allowedRanges": ["172.20.3.4/32"]}
    assert "libvirt" not in values or "mode" not in values["libvirt"]
    for role in ROLES:
        image = {"repository": f"kilonova-{role}", "tag": "abc"}
        assert values[role]["image"] == image
    (tmp_path / "values.json").write_text(json.dumps(values))
    rendered = try_template(CHART, "--values", str(tmp_path / "values.json"))
    assert rendered.ok, str(rendered)
    for role in ("operator", "agent"):
        assert f"{REGISTRY}/kilonova-{role}:abc" in rendered.stdout
    assert "localhost/" not in rendered.stdout
    served = json.dumps(heard.read_applied())
    assert f'"{REGISTRY}/kilonova-image-server:abc"' in served
    assert f"docker://{REGISTRY}/kilonova-agent:abc" in capsys.readouterr().out


def test_a_registry_without_a_cluster_of_ones_own_is_refused() -> None:
    with pytest.raises(LabError, match=r"make up CLUSTER=\.\.\. REGISTRY="):
        up("x", registry=REGISTRY)
