"""What the cluster file may say, and how it is told what it may not."""

import copy
import json
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from kilonova_lab.cluster import DEFAULT_CONFIG
from kilonova_lab.config import ClusterConfig, Taint, parse_cluster
from kilonova_lab.errors import ClusterConfigInvalid
from kilonova_lab.nodefiles import build_kubelet_config
from kilonova_lab.nodelabels import HYPERVISOR_LABEL, build_admin_labels

TAINT = "nodeRegistration: {taints: [{key: x, effect: Some}]}"
VALID: dict[str, Any] = {
    "kind": "Cluster",
    "apiVersion": "kind.x-k8s.io/v1alpha4",
    "nodes": [
        {"role": "control-plane"},
        {
            "role": "worker",
            "labels": {
                "kilonova.dev/lab-node": "hv1",
                "kilonova.dev/lab-libvirt": "pod",
                "kilonova.dev/lab-cell": "cell7",
            },
            "extraMounts": [{"hostPath": "/data", "containerPath": "/var/lib/x"}],
        },
    ],
}


def test_the_repositorys_own_file_describes_one_control_plane_and_two_hosts() -> None:
    config = ClusterConfig.load(DEFAULT_CONFIG)
    assert [(n.name, n.role, n.libvirt) for n in config.nodes] == [
        ("cp", "control-plane", None),
        ("hv1", "worker", "host"),
        ("hv2", "worker", "pod"),
    ]
    assert all(
        [mount.container_path for mount in node.mounts] == ["/var/lib/kilonova"]
        for node in config.nodes[1:]
    )


def test_both_hosts_register_with_a_taint_that_keeps_other_pods_off() -> None:
    home, *hosts = ClusterConfig.load(DEFAULT_CONFIG).nodes
    taint = Taint(HYPERVISOR_LABEL, "true", "NoSchedule")
    assert home.taints == ()
    assert [host.taints for host in hosts] == [(taint,), (taint,)]
    kubelet = build_kubelet_config(hosts[0], dns=IPv4Address("10.96.0.10"))
    assert json.loads(kubelet)["registerWithTaints"] == [
        {"key": HYPERVISOR_LABEL, "value": "true", "effect": "NoSchedule"}
    ]


def test_only_an_admin_gives_the_labels_that_make_a_hypervisor_host() -> None:
    node = parse_cluster(VALID, source="x").nodes[1]
    assert build_admin_labels(node) == {
        "node-restriction.kubernetes.io/kilonova-hypervisor": "true",
        "node-restriction.kubernetes.io/kilonova-cell": "cell7",
    }


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (["kind"], "Pod", "wants kind Cluster"),
        (["featureGates"], {}, "the lab does not know featureGates"),
        (["networking"], {"ipFamily": "dual"}, "networking: the lab does not know"),
        (["networking"], {"podSubnet": "10.1/33"}, r"networking\.podSubnet"),
        (["networking"], {"serviceSubnet": "10.1.1.0/24"}, "wants /20 or larger"),
        (["nodes"], [], "wants 1 to 8"),
        (["nodes", 1, "role"], "control-plane", "exactly one control-plane"),
        (["nodes", 1, "role"], "boss", r"nodes\[1\]: role is"),
        (["nodes", 1, "kubeadmConfigPatches"], [TAINT], "an effect of NoSchedule"),
        (["nodes", 1, "kubeadmConfigPatches"], ["a: b"], "lab does not know a"),
        (["nodes", 1, "image"], "x", r"nodes\[1\]: the lab does not know image"),
        (["nodes", 1, "labels", "kilonova.dev/lab-libvirt"], "maybe", "host or pod"),
        (["nodes", 1, "labels", "kilonova.dev/lab-node"], "HV.1", "1 to 8 lower-case"),
        (["nodes", 1, "extraMounts", 0, "containerPath"], "/etc", "path under /var"),
        (["nodes", 1, "extraMounts", 0, "containerPath"], "/var/../etc", "under /var"),
    ],
)
def test_what_the_lab_cannot_do_is_refused_by_its_place_in_the_file(
    path: list[Any], value: object, complaint: str
) -> None:
    data = copy.deepcopy(VALID)
    place: Any = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ClusterConfigInvalid, match=complaint):
        parse_cluster(data, source="file.yaml")


def test_two_nodes_of_one_name_are_refused() -> None:
    data = copy.deepcopy(VALID)
    data["nodes"].append(data["nodes"][1])
    with pytest.raises(ClusterConfigInvalid, match="two carry the same"):
        parse_cluster(data, source="file.yaml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterConfigInvalid, match=r"no-file\.yaml"):
        ClusterConfig.load(tmp_path / "no-file.yaml")
