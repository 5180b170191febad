"""What a node is told to do when it boots, before any does."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from kilonova_lab import nodecommands
from kilonova_lab.cgroups import Hierarchy
from kilonova_lab.cluster import DEFAULT_CONFIG
from kilonova_lab.config import ClusterConfig, Mount
from kilonova_lab.nodeboot import build_boot_script
from kilonova_lab.preparedstore import build_link_script

ROOT = Path("/var/lib/kilonova-lab/x/nodes/hv1")


def build_lines(*mounts: Mount) -> list[str]:
    hierarchies = (Hierarchy(Path("/sys/fs/cgroup/cpu"), 1, "cpu"),)
    programs = {"kube": Path("/var/cache/kube")}
    return build_boot_script(
        "hv1", ROOT, mounts=mounts, programs=programs, hierarchies=hierarchies
    ).splitlines()


def test_what_lies_below_var_is_taken_before_the_nodes_own_var_covers_it() -> None:
    lines = build_lines(Mount("/var/lib/kilonova"))
    cover = lines.index("mount --rbind var /var")
    for early in ("kept/var-lib-kilonova", "/var/cache/kube", f"cd {ROOT}"):
        assert [n for n, line in enumerate(lines) if early in line][-1] < cover


def test_a_read_only_mount_is_read_only() -> None:
    lines = build_lines(Mount("/var/lib/images", read_only=True))
    assert "mount --bind -o ro kept/var-lib-images var/lib/images" in lines


def test_a_boot_forgets_the_runtime_folder_and_nothing_else() -> None:
    removed = [line for line in build_lines() if line.startswith("rm ")]
    assert removed == ["rm -rf run"]


def test_libvirt_runs_in_the_node_of_mode_host_only() -> None:
    config = ClusterConfig.load(DEFAULT_CONFIG)
    programs = {
        node.name: set(
            nodecommands.build_programs(
                node, IPv4Address("10.77.0.9"), pod_range=IPv4Network("10.244.0.0/16")
            )
        )
        for node in config.nodes
    }
    assert programs["hv1"] - programs["hv2"] == {"virtlogd", "libvirtd"}
    assert programs["hv2"] == programs["cp"] == {"containerd", "kubelet", "kube-proxy"}


def test_a_node_that_has_a_store_keeps_it() -> None:
    lines = build_link_script(Path("/stores/a"), Path("/node/containerd")).splitlines()
    assert lines[1] == "[ ! -e /node/containerd ] || exit 0"
