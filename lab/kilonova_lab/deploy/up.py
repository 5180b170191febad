"""``make up``: a cluster, Kilonova on it, and an example Server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from kilonova_lab.addresses import GUEST_NAT_POOL
from kilonova_lab.choose import start_target
from kilonova_lab.cluster import Cluster
from kilonova_lab.deploy.install import Installation, install, merge
from kilonova_lab.deploy.kubectl import Kubectl
from kilonova_lab.deploy.quickstart import GuestFile, apply_example, show_example
from kilonova_lab.errors import LabError
from kilonova_lab.existing import (
    ExistingCluster,
    build_pushes,
    get_plain_name,
    move_to,
)
from kilonova_lab.folders import build_user_state_folder
from kilonova_lab.images import BuiltImage, build_images
from kilonova_lab.images import Target as ImageTarget
from kilonova_lab.images.guest import ensure_guest_image
from kilonova_lab.images.server import (
    NAMESPACE,
    SERVICE,
    build_guest_url,
    build_objects,
    ensure_image_server,
)
from kilonova_lab.stopwatch import Stopwatch
from kilonova_lab.target import Target

_SQLITE_FOLDER = "/var/lib/kilonova-operator"
_OPERATOR_UID = 65532
_LIBVIRT_LABEL = "kilonova.dev/lab-libvirt"
_NODE_LABEL = "kilonova.dev/lab-node"
_SERVICES = "10.96.0.0/16"


@dataclass(frozen=True, slots=True)
class Deployed:
    """Kilonova on a cluster: how to talk to it, and the image it serves."""

    target: Target
    kubectl: Kubectl
    image: GuestFile


def deploy(target: Target, watch: Stopwatch) -> Deployed:
    """Build the images, put them on the cluster, install the charts.

    Raises:
        LabError: something could not be built, installed, or was not ready in
            time; says what.
    """
    images = build_images(progress=watch.report)
    server, _ = ensure_image_server(progress=watch.report)
    archives = _list_archives(images, server)
    target.import_images(archives)
    if isinstance(target, ExistingCluster) and target.registry is not None:
        server = replace(server, reference=move_to(target.registry, server.reference))
        watch.report(f"its nodes pull from {target.registry}; what it lacks, push:")
        print("\n".join(build_pushes(target.registry, archives)))
    else:
        watch.report("images are on every node")
    kubectl = build_kubectl(target)
    kubectl.apply(*build_objects(server))
    wanted = build_installation(target, images)
    if isinstance(target, ExistingCluster):
        values = merge(wanted.values, build_image_server_values(kubectl))
        wanted = replace(wanted, values=values)
    install(kubectl, wanted, watch)
    return Deployed(target, kubectl, build_guest_file())


def build_guest_file() -> GuestFile:
    """Return the guest image that ``deploy`` serves inside the cluster."""
    return GuestFile(build_guest_url(), ensure_guest_image().sha256)


def build_archives(watch: Stopwatch) -> list[Path]:
    """Return the archives of all images, for nodes that begin with them.

    Importing into a running cluster, as `deploy` does with what is missing,
    unpacks each image in each node.
    """
    images = build_images(progress=watch.report)
    server, _ = ensure_image_server(progress=watch.report)
    return _list_archives(images, server)


def _list_archives(
    images: Mapping[ImageTarget, BuiltImage], server: BuiltImage
) -> list[Path]:
    return [image.archive for image in (*images.values(), server)]


def build_kubectl(target: Target) -> Kubectl:
    """Return kubectl and helm for a cluster."""
    programs = {
        name: next(
            folder / name for folder in target.bin_folders if (folder / name).exists()
        )
        for name in ("kubectl", "helm")
    }
    return Kubectl(target.kubeconfig, programs["kubectl"], programs["helm"])


def build_installation(
    target: Target, images: Mapping[ImageTarget, BuiltImage]
) -> Installation:
    """Return what is installed on a cluster of this sort."""
    references: dict[str, str] = {
        role: image.reference for role, image in images.items()
    }
    if isinstance(target, ExistingCluster):
        names = {role: get_plain_name(name) for role, name in references.items()}
        return Installation(names, {"image": {"registry": target.registry or ""}})
    if not isinstance(target, Cluster):
        return Installation(references, _build_values({}))
    _make_database_folder(target)
    in_lab = {
        "network": {
            "pool": str(GUEST_NAT_POOL),
            "forbiddenRanges": [str(taken) for taken in target.plan.taken_ranges],
        },
        "database": {
            "sqlite": {"volume": {"type": "hostPath", "hostPath": _SQLITE_FOLDER}}
        },
        "operator": {"nodeSelector": {_NODE_LABEL: "cp"}},
    }
    hosts = [node.name for node in target.hypervisors]
    return Installation(references, _build_values(in_lab), hosts)


def _build_values(more: Mapping[str, Any]) -> dict[str, Any]:
    # One node has a libvirt of its own, the other takes the chart's pod. Software
    # emulation works everywhere; `auto` would find the same out by a probe.
    return {
        "libvirt": {"mode": "pod", "nodeSelector": {_LIBVIRT_LABEL: "pod"}},
        "images": {"allowedRanges": [_SERVICES]},
        # Measurements and tests make many Servers in one namespace.
        "quota": {"default": dict.fromkeys(("instances", "cores", "ramMiB"))},
        **more,
    }


def build_image_server_values(kubectl: Kubectl) -> dict[str, Any]:
    """Return what lets hosts download from this cluster's image server.

    Which ranges a cluster of somebody's own has is not known here.
    """
    service = kubectl.find("services", SERVICE, NAMESPACE) or {}
    address = ip_network(service["spec"]["clusterIP"])
    return {"images": {"allowedRanges": [str(address)]}}


def _make_database_folder(cluster: Cluster) -> None:
    owner = f"{_OPERATOR_UID}"
    command = ["install", "-d", "-o", owner, "-g", owner, "-m", "0700", _SQLITE_FOLDER]
    cluster.node("cp").exec(command)


def up(
    lab_id: str, kubeconfig: Path | None = None, *, registry: str | None = None
) -> None:
    """Bring everything up and print what a person wants to see.

    Raises:
        LabError: something did not come up; says what.
    """
    if registry is not None and kubeconfig is None:
        raise LabError(
            "REGISTRY is for a cluster of your own: make up CLUSTER=... REGISTRY=..."
        )
    watch = Stopwatch(print)
    archives = build_archives(watch)
    target = start_target(
        lab_id, kubeconfig=kubeconfig, archives=archives, report=print
    )
    if isinstance(target, ExistingCluster) and registry is not None:
        target = replace(target, registry=registry.rstrip("/"))
    deployed = deploy(target, watch)
    apply_example(deployed.kubectl, deployed.image, watch)
    folder = build_user_state_folder(lab_id)
    folder.mkdir(parents=True, exist_ok=True)
    print(show_example(deployed.kubectl, folder / "hello.png", watch))
