"""What the cluster is to be: the part of kind's cluster file that the lab reads.

A key that would change the cluster and that the lab does not know is an error,
never silently left out: the same file must mean the same with kind.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from kilonova_lab.errors import ClusterConfigInvalid

API_VERSION = "kind.x-k8s.io/v1alpha4"
NODE_NAME_LABEL = "kilonova.dev/lab-node"
LIBVIRT_LABEL = "kilonova.dev/lab-libvirt"
CELL_LABEL = "kilonova.dev/lab-cell"
MAX_NODES = 8

_CLUSTER_KEYS = {"kind", "apiVersion", "name", "networking", "nodes"}
_NETWORKING_KEYS = {"podSubnet", "serviceSubnet"}
_NODE_KEYS = {"role", "labels", "extraMounts", "kubeadmConfigPatches"}
_PATCH_KEYS = {"kind", "nodeRegistration"}
_TAINT_KEYS = {"key", "value", "effect"}
_TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_MOUNT_KEYS = {"hostPath", "containerPath", "readOnly"}

Role = Literal["control-plane", "worker"]
LibvirtMode = Literal["host", "pod"]


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder that outlives the node's own file systems."""

    container_path: str
    read_only: bool = False

    @property
    def folder_name(self) -> str:
        """Its name in the node's folder of kept data."""
        return self.container_path.strip("/").replace("/", "-")


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps pods off a node that do not tolerate it."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One node as the file asks for it."""

    name: str
    role: Role
    labels: Mapping[str, str]
    mounts: tuple[Mount, ...] = ()
    taints: tuple[Taint, ...] = ()

    @property
    def libvirt(self) -> LibvirtMode | None:
        """Where its libvirtd runs; None: it is no hypervisor host."""
        mode = self.labels.get(LIBVIRT_LABEL)
        return "host" if mode == "host" else "pod" if mode == "pod" else None

    @property
    def cell(self) -> str | None:
        """The cell an admin puts it in."""
        return self.labels.get(CELL_LABEL)


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """The cluster as the file asks for it."""

    name: str
    pod_range: ipaddress.IPv4Network
    service_range: ipaddress.IPv4Network
    nodes: tuple[NodeConfig, ...]

    @classmethod
    def load(cls, path: Path) -> ClusterConfig:
        """Read a kind cluster file.

        Raises:
            ClusterConfigInvalid: it cannot be read, or asks for what the lab
                cannot do; names the key.
        """
        try:
            data = yaml.safe_load(path.read_text())
        except (OSError, yaml.YAMLError) as error:
            raise ClusterConfigInvalid(f"{path}: {error}") from None
        return parse_cluster(data, source=str(path))


def parse_cluster(data: Any, *, source: str) -> ClusterConfig:
    """Return the cluster that the parsed file describes."""
    cluster = _get_mapping(data, _CLUSTER_KEYS, where=source)
    if (cluster.get("kind"), cluster.get("apiVersion")) != ("Cluster", API_VERSION):
        raise ClusterConfigInvalid(f"{source}: wants kind Cluster of {API_VERSION}")
    networking = _get_mapping(
        cluster.get("networking", {}), _NETWORKING_KEYS, where=f"{source}: networking"
    )
    nodes = tuple(
        _parse_node(node, index, where=f"{source}: nodes[{index}]")
        for index, node in enumerate(cluster.get("nodes", []))
    )
    _check_nodes(nodes, source=source)
    return ClusterConfig(
        name=str(cluster.get("name", "kind")),
        pod_range=_parse_range(networking, "podSubnet", "10.244.0.0/16", source=source),
        service_range=_parse_range(
            networking, "serviceSubnet", "10.96.0.0/16", source=source
        ),
        nodes=nodes,
    )


def _parse_node(data: Any, index: int, *, where: str) -> NodeConfig:
    node = _get_mapping(data, _NODE_KEYS, where=where)
    role = node.get("role", "control-plane")
    if role not in ("control-plane", "worker"):
        raise ClusterConfigInvalid(f"{where}: role is control-plane or worker")
    labels = {str(k): str(v) for k, v in node.get("labels", {}).items()}
    if labels.get(LIBVIRT_LABEL, "host") not in ("host", "pod"):
        raise ClusterConfigInvalid(f"{where}: label {LIBVIRT_LABEL} is host or pod")
    name = labels.get(NODE_NAME_LABEL, f"node{index}")
    if not name.isalnum() or not name.islower() or len(name) > 8:
        raise ClusterConfigInvalid(
            f"{where}: label {NODE_NAME_LABEL} is 1 to 8 lower-case letters and digits "
            "(network devices are named by it)"
        )
    mounts = tuple(
        _parse_mount(mount, where=f"{where}: extraMounts[{number}]")
        for number, mount in enumerate(node.get("extraMounts", []))
    )
    taints = tuple(
        taint
        for number, patch in enumerate(node.get("kubeadmConfigPatches", []))
        for taint in _parse_patch(patch, where=f"{where}: patch {number}")
    )
    return NodeConfig(name=name, role=role, labels=labels, mounts=mounts, taints=taints)


def _parse_patch(text: Any, *, where: str) -> Iterator[Taint]:
    """Yield the taints that a patch of kubeadm's configuration registers."""
    try:
        data = yaml.safe_load(str(text))
    except yaml.YAMLError as error:
        raise ClusterConfigInvalid(f"{where}: {error}") from None
    patch = _get_mapping(data, _PATCH_KEYS, where=where)
    registration = _get_mapping(
        patch.get("nodeRegistration", {}), {"taints"}, where=f"{where}: registration"
    )
    for taint in registration.get("taints", []):
        known = _get_mapping(taint, _TAINT_KEYS, where=f"{where}: taint")
        if not known.get("key") or known.get("effect") not in _TAINT_EFFECTS:
            effects = ", ".join(_TAINT_EFFECTS)
            raise ClusterConfigInvalid(
                f"{where}: taint: wants a key and an effect of {effects}"
            )
        yield Taint(known["key"], str(known.get("value", "")), known["effect"])


def _parse_mount(data: Any, *, where: str) -> Mount:
    mount = _get_mapping(data, _MOUNT_KEYS, where=where)
    path = mount.get("containerPath", "")
    if not path.startswith("/var/") or ".." in Path(path).parts:
        raise ClusterConfigInvalid(
            f"{where}: containerPath is a path under /var, which is the tree that a "
            "lab's node does not share with the machine"
        )
    return Mount(container_path=path, read_only=bool(mount.get("readOnly", False)))


def _check_nodes(nodes: tuple[NodeConfig, ...], *, source: str) -> None:
    names = [node.name for node in nodes]
    if not 1 <= len(nodes) <= MAX_NODES:
        raise ClusterConfigInvalid(f"{source}: nodes: wants 1 to {MAX_NODES}")
    if len(set(names)) != len(names):
        raise ClusterConfigInvalid(
            f"{source}: nodes: two carry the same {NODE_NAME_LABEL}"
        )
    if sum(node.role == "control-plane" for node in nodes) != 1:
        raise ClusterConfigInvalid(f"{source}: nodes: wants exactly one control-plane")


def _parse_range(
    networking: Mapping[str, Any], key: str, default: str, *, source: str
) -> ipaddress.IPv4Network:
    text = networking.get(key, default)
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise ClusterConfigInvalid(f"{source}: networking.{key}: {error}") from None
    if network.prefixlen > 20:  # a /24 of pods for each node; 4,096 Services
        raise ClusterConfigInvalid(f"{source}: networking.{key}: wants /20 or larger")
    return network


def _get_mapping(data: Any, known: set[str], *, where: str) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise ClusterConfigInvalid(f"{where}: wants a mapping, has {data!r}")
    if unknown := sorted(set(data) - known):
        raise ClusterConfigInvalid(
            f"{where}: the lab does not know {', '.join(map(str, unknown))}"
        )
    return data
