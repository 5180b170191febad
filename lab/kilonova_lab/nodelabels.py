"""Labels that make a node a hypervisor host. A kubelet may not set them itself."""

from __future__ import annotations

from collections.abc import Mapping

from kilonova_lab.config import NodeConfig

HYPERVISOR_LABEL = "node-restriction.kubernetes.io/kilonova-hypervisor"
CELL_LABEL = "node-restriction.kubernetes.io/kilonova-cell"
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"


def build_admin_labels(node: NodeConfig) -> Mapping[str, str]:
    """Return the labels that an admin gives this node."""
    labels = {}
    if node.role == "control-plane":
        labels[CONTROL_PLANE_LABEL] = ""
    if node.libvirt is not None:
        labels[HYPERVISOR_LABEL] = "true"
    if node.cell is not None:
        labels[CELL_LABEL] = node.cell
    return labels
