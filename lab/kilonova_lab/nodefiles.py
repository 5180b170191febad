"""The files a node reads: containerd, kubelet, CNI, libvirt, /etc. Pure text."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from kilonova_lab.config import NodeConfig

PAUSE_IMAGE = "localhost/kilonova-lab/pause:1"
CLUSTER_DOMAIN = "cluster.local"

_HOST_ID_SPACE = uuid.UUID("6f6c6966-656e-6f76-6100-6c6162000000")

# Probed at each start, used by nobody here, and loud about what they miss.
_UNUSED_CONTAINERD_PLUGINS = (
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.erofs",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.tracing.processor.v1.otlp",
)


def build_containerd_config(*, owner: int) -> str:
    """Return containerd's configuration; its owner may import images into it.

    The lab has no CAP_SYS_RESOURCE (OOM scores cannot be lowered) and no
    AppArmor of its own.
    """
    return f"""version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = {json.dumps(_UNUSED_CONTAINERD_PLUGINS)}
[grpc]
  address = "/run/containerd/containerd.sock"
  uid = {owner}
[plugins.'io.containerd.nri.v1.nri']
  disable = true
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "/etc/cni/net.d"
"""


def build_kubelet_config(node: NodeConfig, *, dns: IPv4Address) -> str:
    """Return kubelet's configuration, which is YAML written as JSON.

    Cgroups: "cgroupfs" without a tree of its own for each quality of service,
    because the node's cgroup namespace is no systemd's. Images imported by hand
    are never collected, since no registry has them.
    """
    config: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": "/etc/kubernetes/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": "/etc/kubernetes/kubelet-server.crt",
        "tlsPrivateKeyFile": "/etc/kubernetes/kubelet-server.key",
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "resolvConf": "/etc/resolv.conf",
        "clusterDNS": [str(dns)],
        "clusterDomain": CLUSTER_DOMAIN,
        "oomScoreAdj": 0,
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "serverTLSBootstrap": False,
    }
    if node.taints:
        config["registerWithTaints"] = [asdict(taint) for taint in node.taints]
    return json.dumps(config, indent=1)


def build_cni_config(pods: IPv4Network) -> str:
    """Return the pod network's configuration: one bridge, addresses of this node."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            # On /run: a node that starts anew has no pods, so no addresses.
            "dataDir": "/run/cni",
            "ranges": [[{"subnet": str(pods)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps(
        {"cniVersion": "1.0.0", "name": "lab", "plugins": [bridge, ports]}
    )


def build_etc_files(
    name: str, addresses: Mapping[str, IPv4Address], *, lab_id: str, dns: IPv4Address
) -> dict[str, str]:
    """Return the node's own files under /etc, by path.

    Args:
        name: the node.
        addresses: every node's address, so that nodes know each other by name.
        lab_id: goes into the machine id: two labs' nodes are different machines.
        dns: the cluster's; the machine's own name servers are not reachable.
    """
    hosts = ["127.0.0.1 localhost", *(f"{ip} {node}" for node, ip in addresses.items())]
    machine_id = hashlib.md5(f"{lab_id}/{name}".encode(), usedforsecurity=False)
    return {
        "hostname": f"{name}\n",
        "hosts": "\n".join(hosts) + "\n",
        "machine-id": machine_id.hexdigest() + "\n",
        "resolv.conf": f"nameserver {dns}\noptions timeout:1 attempts:2\n",
    }


def build_host_uuid(lab_id: str, name: str) -> str:
    """Return libvirt's host id; it reads none from this machine's firmware."""
    return str(uuid.uuid5(_HOST_ID_SPACE, f"{lab_id}/{name}"))


def build_libvirt_files(
    *, address: IPv4Address, host_uuid: str, group: str
) -> dict[str, str]:
    """Return libvirt's files under /etc/libvirt, by path.

    ``group`` is that of the lab's owner, whose tests talk to the socket.

    TCP without authentication is for live migration between the lab's nodes and
    reaches nobody else. QEMU's own output goes to plain files, so that a guest
    needs no virtlogd to live on. Below sudo the limit of core files is 0, and not
    every root may raise it, which libvirt would do by default.
    """
    return {
        "libvirt.conf": "",
        "libvirtd.conf": f"""listen_tls = 0
listen_tcp = 1
listen_addr = "{address}"
auth_tcp = "none"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "{group}"
unix_sock_rw_perms = "0770"
host_uuid = "{host_uuid}"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
""",
        "qemu.conf": f"""user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
namespaces = [ ]
stdio_handler = "file"
max_core = 0
migration_address = "{address}"
migration_host = "{address}"
""",
        "virtlogd.conf": 'log_outputs = "3:file:/var/log/libvirt/virtlogd.log"\n',
    }
