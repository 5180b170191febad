"""The same cluster made by kind, where a Docker engine answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kilonova_lab.config import CELL_LABEL as FILE_CELL_LABEL
from kilonova_lab.config import LIBVIRT_LABEL
from kilonova_lab.errors import CommandFailed, LabError
from kilonova_lab.folders import build_user_state_folder
from kilonova_lab.nodelabels import CELL_LABEL, HYPERVISOR_LABEL
from kilonova_lab.programs import KUBE, ProgramCache

_CREATE_SECONDS = 600.0
_COMMAND_SECONDS = 300.0
_DOCKER_SECONDS = 10.0

Run = Callable[[Sequence[str], float], str]


def run_command(argv: Sequence[str], timeout_seconds: float) -> str:
    """Run a command that must succeed and return its standard output."""
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=timeout_seconds
    )
    if done.returncode != 0:
        raise CommandFailed(argv, done.returncode, done.stderr or done.stdout)
    return done.stdout


def docker_answers() -> bool:
    """Tell whether there is a Docker engine this user may talk to."""
    if shutil.which("docker") is None:
        return False
    try:
        run_command(["docker", "info"], _DOCKER_SECONDS)
    except (CommandFailed, subprocess.TimeoutExpired):
        return False
    return True


@dataclass(frozen=True, slots=True)
class KindCluster:
    """A cluster of kind, named after the lab's id."""

    id: str
    run: Run = field(default=run_command)

    @property
    def name(self) -> str:
        """The name kind knows it by."""
        return f"kilonova-{self.id}"

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig, this user's file."""
        return build_user_state_folder(self.id) / "kubeconfig"

    @property
    def bin_folders(self) -> Sequence[Path]:
        """Where kubectl and helm are: the lab's own, of a known version."""
        return [ProgramCache().ensure(KUBE)["kube"]]

    @property
    def libvirt_in_nodes(self) -> bool:
        """Kind's node image has no libvirt, so every host gets it as a pod."""
        return False

    def start(self, config_path: Path) -> None:
        """Create it, and give its nodes what only an admin may.

        Raises:
            LabError: kind is not installed, or the cluster exists already.
        """
        if shutil.which("kind") is None:
            raise LabError(
                "a Docker engine answers but there is no `kind`. Install it "
                "(`go install sigs.k8s.io/kind@latest`, then add $(go env GOPATH)/bin "
                "to PATH), or stop Docker to use the lab instead."
            )
        if self.exists():
            raise LabError(
                f"kind cluster {self.name!r} is there already and was left alone. "
                "Remove it first: make down"
            )
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        create = ["kind", "create", "cluster", f"--name={self.name}", "--wait=5m"]
        create += [f"--config={config_path}", f"--kubeconfig={self.kubeconfig}"]
        self.run(create, _CREATE_SECONDS)
        self._introduce_nodes()
        self._kubectl(
            *("create", "configmap", "kilonova-lab", "--namespace=kube-system"),
            f"--from-literal=lab-id={self.id}",
        )

    def exists(self) -> bool:
        """Tell whether kind has a cluster of this name."""
        known = self.run(["kind", "get", "clusters"], _COMMAND_SECONDS)
        return self.name in known.split()

    def import_images(self, archives: Iterable[Path]) -> Mapping[str, Sequence[str]]:
        """Load OCI archives into every node; kind tells nothing of what was there."""
        for archive in archives:
            load = ["kind", "load", "image-archive", str(archive)]
            self.run([*load, f"--name={self.name}"], _COMMAND_SECONDS)
        return {}

    def stop(self) -> None:
        """Delete it and this user's kubeconfig of it."""
        self.run(["kind", "delete", "cluster", f"--name={self.name}"], _COMMAND_SECONDS)
        shutil.rmtree(self.kubeconfig.parent, ignore_errors=True)

    def _introduce_nodes(self) -> None:
        """Mark the hypervisor hosts; all of them get libvirt as a pod."""
        for node in json.loads(self._kubectl("get", "nodes", "--output=json"))["items"]:
            labels = node["metadata"]["labels"]
            if LIBVIRT_LABEL not in labels:
                continue
            marks = [f"{LIBVIRT_LABEL}=pod", f"{HYPERVISOR_LABEL}=true"]
            if cell := labels.get(FILE_CELL_LABEL):
                marks.append(f"{CELL_LABEL}={cell}")
            name = node["metadata"]["name"]
            self._kubectl("label", "--overwrite", "node", name, *marks)

    def _kubectl(self, *arguments: str) -> str:
        program = str(self.bin_folders[0] / "kubectl")
        argv = [program, f"--kubeconfig={self.kubeconfig}", *arguments]
        return self.run(argv, _COMMAND_SECONDS)
