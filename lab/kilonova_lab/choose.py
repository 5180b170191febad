"""Which cluster a command works on.

Named by the person (a kubeconfig file) → that one. A Docker engine answers →
kind. Otherwise → the lab. The environment's KUBECONFIG is never taken by itself:
it may be somebody's production.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from kilonova_lab.cluster import DEFAULT_CONFIG, Cluster, stop_lab
from kilonova_lab.errors import NotRunning
from kilonova_lab.existing import ExistingCluster
from kilonova_lab.folders import build_user_state_folder
from kilonova_lab.kind import KindCluster, docker_answers
from kilonova_lab.stopwatch import Report
from kilonova_lab.target import Target, TargetKind


def choose_kind(kubeconfig: Path | None, *, docker: bool) -> TargetKind:
    """Return which sort of cluster is taken."""
    if kubeconfig is not None:
        return "kubeconfig"
    return "kind" if docker else "lab"


def start_target(
    lab_id: str,
    *,
    kubeconfig: Path | None = None,
    config_path: Path = DEFAULT_CONFIG,
    archives: Sequence[Path] = (),
    report: Report = print,
) -> Target:
    """Bring up, or take, the cluster to work on; ``down`` finds it again.

    Its nodes have the images of the archives; a cluster of somebody's own is
    expected to pull them.

    Raises:
        AlreadyRunning: the lab of this id runs; nothing was changed.
    """
    kind = choose_kind(kubeconfig, docker=kubeconfig is None and docker_answers())
    target: Target
    if kubeconfig is not None:
        report(f"cluster: the one of {kubeconfig}")
        target = ExistingCluster.open(kubeconfig)
    elif kind == "kind":
        report("cluster: kind, because a Docker engine answers here")
        target = made = KindCluster(lab_id)
        made.start(config_path)
        made.import_images(archives)
    else:
        report("cluster: the lab, because no Docker engine answers here")
        target = Cluster.start(
            lab_id, config_path=config_path, archives=archives, report=report
        )
    _remember(lab_id, kind, target.kubeconfig)
    return target


def open_target(lab_id: str) -> Target:
    """Return the cluster that ``up`` took.

    Raises:
        NotRunning: there is none.
    """
    try:
        memory = json.loads(_get_memory(lab_id).read_text())
    except FileNotFoundError:
        return Cluster.open(lab_id)
    if memory["kind"] == "kubeconfig":
        return ExistingCluster.open(Path(memory["kubeconfig"]))
    if memory["kind"] == "kind":
        return KindCluster(lab_id)
    return Cluster.open(lab_id)


def stop_target(lab_id: str) -> str:
    """End what ``up`` made; return what was done, for people.

    A cluster that was there before stays, and a lab that was killed is removed.
    """
    try:
        target = open_target(lab_id)
    except NotRunning:
        target = None
    if isinstance(target, ExistingCluster):
        shutil.rmtree(build_user_state_folder(lab_id), ignore_errors=True)
        return f"the cluster of {target.kubeconfig} is not ours and stays"
    if isinstance(target, KindCluster):
        target.stop()
        return f"kind cluster {target.name} deleted"
    stop_lab(lab_id)
    return f"lab {lab_id!r} is gone" if target else f"no lab {lab_id!r} ran; all clean"


def _remember(lab_id: str, kind: TargetKind, kubeconfig: Path) -> None:
    memory = _get_memory(lab_id)
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({"kind": kind, "kubeconfig": str(kubeconfig)}))


def _get_memory(lab_id: str) -> Path:
    return build_user_state_folder(lab_id) / "target.json"
