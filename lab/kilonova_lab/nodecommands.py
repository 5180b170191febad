"""The command lines of a node's programs, as the node sees the paths. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from kilonova_lab.config import NodeConfig
from kilonova_lab.nodeboot import PROGRAMS

PATH = f"{PROGRAMS}/kube:{PROGRAMS}/containerd:/usr/sbin:/usr/bin:/sbin:/bin"


def build_init(socket_path: Path, *, owner: int) -> tuple[str, ...]:
    """Return what makes a node's namespaces; its end is the end of all in them."""
    return (
        *("unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--cgroup"),
        *("--fork", "--kill-child=SIGKILL", "--mount-proc", "tini", "--"),
        *(sys.executable, "-m", "kilonova_lab.supervisor"),
        f"--socket={socket_path}",
        f"--owner={owner}",
    )


def build_programs(
    node: NodeConfig, address: IPv4Address, *, pod_range: IPv4Network
) -> Mapping[str, tuple[str, ...]]:
    """Return the command lines by name, in starting order.

    Args:
        node: what the cluster file says of it.
        address: the node's own.
        pod_range: of all nodes; kube-proxy tells pods from others by it.
    """
    containerd = f"{PROGRAMS}/containerd/containerd"
    programs = {
        "containerd": (containerd, "-c", "/etc/containerd/config.toml"),
        "kubelet": _build_kubelet(node, address),
        "kube-proxy": _build_proxy(node, pod_range),
    }
    if node.libvirt == "host":
        libvirt = "/etc/libvirt"
        programs["virtlogd"] = ("virtlogd", "-f", f"{libvirt}/virtlogd.conf")
        programs["libvirtd"] = (
            "libvirtd",
            "--listen",
            "-f",
            f"{libvirt}/libvirtd.conf",
        )
    return programs


def _build_kubelet(node: NodeConfig, address: IPv4Address) -> tuple[str, ...]:
    labels = ",".join(f"{key}={value}" for key, value in node.labels.items())
    return (
        f"{PROGRAMS}/kube/kubelet",
        "--config=/etc/kubernetes/kubelet.json",
        "--kubeconfig=/etc/kubernetes/kubelet.kubeconfig",
        f"--hostname-override={node.name}",
        f"--node-ip={address}",
        *([f"--node-labels={labels}"] if labels else []),
    )


def _build_proxy(node: NodeConfig, pod_range: IPv4Network) -> tuple[str, ...]:
    """Return kube-proxy's; 0 leaves the machine-wide conntrack sysctls alone."""
    return (
        f"{PROGRAMS}/kube/kube-proxy",
        "--kubeconfig=/etc/kubernetes/kube-proxy.kubeconfig",
        f"--hostname-override={node.name}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={pod_range}",
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    )
