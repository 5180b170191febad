"""Which cluster is taken, and what kind is told."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from kilonova_lab import choose
from kilonova_lab.choose import choose_kind, open_target, start_target, stop_target
from kilonova_lab.cli import build_shell_environment
from kilonova_lab.errors import LabError
from kilonova_lab.existing import ExistingCluster
from kilonova_lab.kind import KindCluster
from kilonova_lab.target import TargetKind

NODES = {
    "items": [
        {"metadata": {"name": "kilonova-x-control-plane", "labels": {}}},
        {
            "metadata": {
                "name": "kilonova-x-worker",
                "labels": {
                    "kilonova.dev/lab-libvirt": "host",
                    "kilonova.dev/lab-cell": "cell1",
                },
            }
        },
    ]
}


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(KindCluster, "bin_folders", [Path("/programs")])


@pytest.mark.parametrize(
    ("kubeconfig", "docker", "taken"),
    [
        (Path("/mine"), True, "kubeconfig"),
        (None, True, "kind"),
        (None, False, "lab"),
    ],
)
def test_the_named_cluster_comes_first_then_kind_then_the_lab(
    kubeconfig: Path | None, *, docker: bool, taken: TargetKind
) -> None:
    assert choose_kind(kubeconfig, docker=docker) == taken


def test_the_environments_kubeconfig_is_never_taken_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "production").write_text("{}")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "production"))
    monkeypatch.setattr(choose, "docker_answers", lambda: True)
    started: list[str] = []
    monkeypatch.setattr(KindCluster, "start", lambda self, _: started.append(self.id))
    target = start_target("x", report=lambda _: None)
    assert isinstance(target, KindCluster)
    assert started == ["x"]
    assert target.kubeconfig != tmp_path / "production"


def test_somebodys_own_cluster_is_found_again_and_never_ended(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("{}")
    start_target("x", kubeconfig=tmp_path / "mine", report=lambda _: None)
    assert open_target("x") == ExistingCluster(tmp_path / "mine")
    assert "is not ours and stays" in stop_target("x")


def test_a_kubeconfig_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"CLUSTER=.*/gone: there is no such"):
        start_target("x", kubeconfig=tmp_path / "gone", report=lambda _: None)


class RecordedCommands:
    def __init__(self) -> None:
        self.commands: list[str] = []

    def __call__(self, argv: Sequence[str], _: float) -> str:
        self.commands.append(" ".join(argv))
        return json.dumps(NODES) if "get nodes" in self.commands[-1] else ""


def test_kinds_hosts_are_marked_by_the_admin_and_get_libvirt_as_a_pod(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    commands = RecordedCommands()
    KindCluster("x", run=commands).start(Path("kind-config.yaml"))
    create = next(line for line in commands.commands if " create cluster" in line)
    assert "--name=kilonova-x" in create
    assert "--config=kind-config.yaml" in create
    (label,) = [line for line in commands.commands if " label " in line]
    assert label.endswith(
        "node kilonova-x-worker kilonova.dev/lab-libvirt=pod "
        "node-restriction.kubernetes.io/kilonova-hypervisor=true "
        "node-restriction.kubernetes.io/kilonova-cell=cell1"
    )
    assert "configmap kilonova-lab" in commands.commands[-1]


def test_docker_without_kind_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(LabError, match=r"go install sigs\.k8s\.io/kind"):
        KindCluster("x", run=RecordedCommands()).start(Path("kind-config.yaml"))


def test_a_shell_finds_the_clusters_programs_first_and_its_kubeconfig() -> None:
    environment = build_shell_environment(
        KindCluster("x"), {"PATH": "/usr/bin", "KUBECONFIG": "/production"}
    )
    programs, plugins, users = environment["PATH"].split(":")
    assert (programs, users) == ("/programs", "/usr/bin")
    for name in ("kubectl-nova", "kubectl_complete-nova"):
        assert os.access(Path(plugins) / name, os.X_OK)
    assert environment["KUBECONFIG"].endswith("/x/kubeconfig")
