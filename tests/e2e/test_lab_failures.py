"""Breaking parts of a lab on purpose: what stays, and what comes back."""

from collections.abc import Iterator
from typing import Any

import pytest

from kilonova_lab.cluster import Cluster
from kilonova_lab.node import Node
from support.cluster import build_lab_id, running_cluster
from support.waiting import eventually

GUEST = """
<domain type='qemu'><name>survivor</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<features><acpi/><tcg><tb-cache unit='MiB'>1</tb-cache></tcg></features>
<devices><controller type='usb' model='none'/></devices></domain>
"""


@pytest.fixture(scope="module")
def broken() -> Iterator[Cluster]:
    with running_cluster(build_lab_id("brk")) as running:
        yield running


def read_heartbeat(cluster: Cluster, name: str) -> tuple[str, str]:
    """Return whether the node is Ready and when its kubelet last renewed its Lease."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}"
    lease: dict[str, Any] = cluster.api.find(path) or {"spec": {"renewTime": ""}}
    node: dict[str, Any] = cluster.api.get(f"/api/v1/nodes/{name}")
    ready = [c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready"]
    return "".join(ready), lease["spec"]["renewTime"]


def await_ready(cluster: Cluster, name: str, *, since: str) -> None:
    def beats() -> bool:
        ready, renewed = read_heartbeat(cluster, name)
        return ready == "True" and renewed > since

    eventually(beats, f"{name} is Ready again", timeout_seconds=90)


def virsh(node: Node, *arguments: str, stdin: str = "") -> str:
    done = node.exec(["virsh", "-q", *arguments], stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_guest_survives_sigkill_of_libvirtd_and_is_found_again(
    broken: Cluster,
) -> None:
    node = broken.node("hv1")
    virsh(node, "create", "/dev/stdin", stdin=GUEST)
    process = node.exec(["pgrep", "-f", "guest=survivor"]).stdout
    node.kill("libvirtd")
    assert not node.programs["libvirtd"].running
    node.restart("libvirtd")
    assert virsh(node, "domstate", "survivor") == "running"
    assert node.exec(["pgrep", "-f", "guest=survivor"]).stdout == process
    virsh(node, "destroy", "survivor")


@pytest.mark.parametrize("program", ["kubelet", "containerd"])
def test_a_node_is_ready_again_after_sigkill_of(broken: Cluster, program: str) -> None:
    node = broken.node("hv2")
    _, before = read_heartbeat(broken, "hv2")
    node.kill(program)
    assert not node.programs[program].running
    node.restart(program)
    await_ready(broken, "hv2", since=before)


def test_the_api_server_comes_back_with_all_objects_after_sigkill_of_it_and_etcd(
    broken: Cluster,
) -> None:
    broken.apiserver.kill()
    broken.etcd.kill()
    assert not broken.api.is_ready()
    broken.etcd.start()
    broken.apiserver.start()
    broken.apiserver.wait_until_ready()
    assert len(broken.api.get("/api/v1/nodes")["items"]) == 3


def test_a_killed_node_takes_its_guests_with_it_and_comes_up_with_its_disk(
    broken: Cluster,
) -> None:
    node = broken.node("hv1")
    virsh(node, "create", "/dev/stdin", stdin=GUEST)
    node.exec(["touch", "/var/lib/kilonova/kept", "/var/lib/also-kept"])
    _, before = read_heartbeat(broken, "hv1")
    node.kill()
    assert not node.running
    node.start()
    node.programs["libvirtd"].wait_until_ready()
    assert virsh(node, "list", "--name") == ""
    names = node.exec(["ls", "/var/lib/kilonova/kept", "/var/lib/also-kept"])
    assert names.returncode == 0, names.stderr
    await_ready(broken, "hv1", since=before)


@pytest.mark.parametrize(
    ("keep_data", "survives"),
    [
        pytest.param(True, True, id="with its data disk"),
        pytest.param(False, False, id="without it"),
    ],
)
def test_a_node_is_reinstalled_under_its_old_name(
    broken: Cluster, *, keep_data: bool, survives: bool
) -> None:
    node = broken.node("hv1")
    node.exec(["touch", "/var/lib/kilonova/data", "/var/lib/system"])
    _, before = read_heartbeat(broken, "hv1")
    broken.reinstall("hv1", keep_data=keep_data)
    assert node.exec(["ls", "/var/lib/system"]).returncode != 0
    data = node.exec(["ls", "/var/lib/kilonova/data"]).returncode == 0
    assert data == survives
    await_ready(broken, "hv1", since=before)
