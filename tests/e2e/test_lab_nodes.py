"""What a lab's nodes are, and who may say so."""

from pathlib import Path
from typing import Any

import pytest

from kilonova_lab.api import Api, ApiRefused
from kilonova_lab.bringup import MARKER
from kilonova_lab.cluster import Cluster
from kilonova_lab.errors import AlreadyRunning, LabError
from kilonova_lab.nodelabels import CELL_LABEL, HYPERVISOR_LABEL
from support.probe import PROBE_IMAGE, write_probe_image
from support.waiting import eventually

# Processes of pods, such as the chart's libvirtd, are in containerd's groups.
_OWN_LIBVIRT = """for pid in $(pgrep -x libvirtd); do
  grep -q k8s.io /proc/$pid/cgroup || echo $pid
done"""


def read_labels(cluster: Cluster) -> dict[str, dict[str, str]]:
    nodes: list[dict[str, Any]] = cluster.api.get("/api/v1/nodes")["items"]
    return {node["metadata"]["name"]: node["metadata"]["labels"] for node in nodes}


def test_the_cluster_file_says_which_nodes_are_hypervisor_hosts_and_of_which_cell(
    cluster: Cluster,
) -> None:
    labels = read_labels(cluster)
    assert {name: mark.get(HYPERVISOR_LABEL) for name, mark in labels.items()} == {
        "cp": None,
        "hv1": "true",
        "hv2": "true",
    }
    assert labels["hv1"][CELL_LABEL] == "cell1"


def test_a_pod_that_does_not_say_it_belongs_on_a_hypervisor_host_comes_to_none(
    cluster: Cluster,
) -> None:
    pods = "/api/v1/namespaces/default/pods"
    spec = {
        "nodeSelector": {HYPERVISOR_LABEL: "true"},
        "containers": [{"name": "other", "image": PROBE_IMAGE}],
    }
    meta = {"name": "other", "namespace": "default"}
    cluster.api.create(
        pods, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    )

    def read_refusal() -> str:
        status = cluster.api.get(f"{pods}/other")["status"]
        said = {c["type"]: c for c in status.get("conditions", ())}
        refusal: str = said.get("PodScheduled", {}).get("message", "")
        return refusal

    try:
        eventually(lambda: read_refusal() != "", "the scheduler has judged the pod")
        assert "2 node(s) had untolerated taint" in read_refusal()
    finally:
        cluster.api.delete(f"{pods}/other")


def test_a_kubelet_cannot_make_its_node_a_hypervisor_host(cluster: Cluster) -> None:
    kubeconfig = cluster.node("cp").root / "etc" / "kubernetes" / "kubelet.kubeconfig"
    kubelet = Api.from_kubeconfig(kubeconfig)
    body = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "cp", "labels": {HYPERVISOR_LABEL: "true"}},
    }
    with pytest.raises(ApiRefused, match="is not allowed to modify labels"):
        kubelet.apply("/api/v1/nodes/cp", body)


def test_the_marker_that_destructive_tests_demand_names_the_lab(
    cluster: Cluster,
) -> None:
    assert cluster.api.get(MARKER)["data"] == {"lab-id": cluster.id}


def test_libvirt_answers_in_the_node_of_mode_host_and_not_in_that_of_mode_pod(
    cluster: Cluster,
) -> None:
    version = cluster.node("hv1").exec(["virsh", "-c", "qemu:///system", "version"])
    assert "QEMU" in version.stdout, version.stderr
    own = {
        name: cluster.node(name).exec(["sh", "-c", _OWN_LIBVIRT]).stdout
        for name in ("hv1", "hv2")
    }
    assert own["hv1"] != ""
    assert own["hv2"] == ""


def test_a_node_sees_neither_the_machines_libvirt_networks_nor_its_runtime_folder(
    cluster: Cluster,
) -> None:
    listed = cluster.node("hv1").exec(["virsh", "net-list", "--all", "--name"])
    assert listed.returncode == 0, listed.stderr
    # Kilonova's own of another test may be there still.
    foreign = [name for name in listed.stdout.split() if not name.startswith("kn-")]
    assert foreign == []
    run = cluster.node("hv1").exec(["ls", "/run"]).stdout.split()
    assert "lab" in run
    assert not Path("/run/lab").exists()


def test_an_image_is_imported_on_every_node_once(
    cluster: Cluster, tmp_path: Path
) -> None:
    archive = write_probe_image(tmp_path)
    cluster.import_images([archive])
    assert cluster.import_images([archive]) == {"cp": [], "hv1": [], "hv2": []}
    for node in cluster.nodes:
        assert PROBE_IMAGE in node.images.list_digests()


def test_what_is_no_image_archive_is_refused_by_name(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "no-image.tar").write_text("something else")
    with pytest.raises(LabError, match=r"no-image\.tar is no OCI archive"):
        cluster.import_images([tmp_path / "no-image.tar"])


def test_a_second_start_says_that_it_runs_and_changes_nothing(cluster: Cluster) -> None:
    pids = [node.pid for node in cluster.nodes]
    with pytest.raises(AlreadyRunning, match="was left alone"):
        Cluster.start(cluster.id)
    assert [node.pid for node in cluster.nodes] == pids
    assert cluster.api.is_ready()
