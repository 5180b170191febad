"""The order in which a lab comes up.

Everything slow overlaps: nodes boot and import images while the API server
starts; kubelets start when it answers, because one that finds no API server
waits longer and longer before it asks again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilonova_lab import network
from kilonova_lab.controlplane import prepare_files
from kilonova_lab.dns import build_dns_objects
from kilonova_lab.errors import NotReady
from kilonova_lab.imagestore import ArchivedImage
from kilonova_lab.node import KUBERNETES_PROGRAMS, Node
from kilonova_lab.nodelabels import build_admin_labels
from kilonova_lab.programs import COREDNS, ProgramCache
from kilonova_lab.stopwatch import Stopwatch
from kilonova_lab.systemimages import ensure_system_images

if TYPE_CHECKING:
    from kilonova_lab.cluster import Cluster

MARKER = "/api/v1/namespaces/kube-system/configmaps/kilonova-lab"
"""Destructive tests demand this object: it is in no cluster of anybody's."""

_SECONDS = 120.0
_POLL_SECONDS = 0.2
_DNS_QUESTION = "kubernetes.default.svc.cluster.local"


def bring_up(cluster: Cluster, archives: Sequence[Path], watch: Stopwatch) -> None:
    """Turn the empty namespaces of a new lab into a working cluster."""
    write_files(cluster)
    script = network.build_router_script(cluster.plan, len(cluster.nodes))
    cluster.supervisor.check(["sh", "-c", script])
    cluster.etcd.start()
    cluster.apiserver.start()
    pool = ThreadPoolExecutor(len(cluster.nodes) + 1)
    try:
        store = pool.submit(_prepare_images, cluster, archives)
        boots = [pool.submit(_boot, node, store) for node in cluster.nodes]
        cluster.apiserver.wait_until_ready()
        watch.report("API server ready")
        cluster.control_plane.controller_manager.start()
        cluster.control_plane.scheduler.start()
        _apply_objects(cluster)
        for boot in boots:
            boot.result()
    finally:
        # Not waited for: when something failed, the lab's end ends their work.
        pool.shutdown(wait=False, cancel_futures=True)
    watch.report("nodes booted with their images")
    for node in cluster.nodes:
        node.start_programs(KUBERNETES_PROGRAMS)
    for node in cluster.nodes:
        _introduce(cluster, node)
    for node in cluster.nodes:
        _await(f"node {node.name}", partial(_is_ready, cluster, node))
    watch.report("nodes Ready")
    for node in cluster.nodes:
        _await(f"DNS on {node.name}", partial(_resolves, node))
    watch.report("DNS answers on every node")
    for node in cluster.nodes:
        if "libvirtd" in node.programs:
            node.programs["libvirtd"].wait_until_ready()
            watch.report(f"libvirt answers on {node.name}")
    cluster.ready_file.touch()


def write_files(cluster: Cluster) -> None:
    """Write keys, configurations and the admin's kubeconfig."""
    cluster.layout.folder.mkdir()
    names = [
        *(str(cluster.plan.gateway), str(cluster.plan.api_service)),
        *("127.0.0.1", "localhost", "kubernetes", "kubernetes.default"),
        *("kubernetes.default.svc", "kubernetes.default.svc.cluster.local"),
    ]
    authority = prepare_files(cluster.layout, names=names)
    (cluster.folder / "log").mkdir()
    for node in cluster.nodes:
        node.root.mkdir(parents=True)
        node.install(authority, cluster.addresses)
    cluster.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    cluster.kubeconfig.unlink(missing_ok=True)
    authority.write_kubeconfig(cluster.kubeconfig, cluster.layout.server, "admin")


def _boot(node: Node, store: Future[Path]) -> None:
    node.give_images(store.result())
    node.boot()
    node.start_below_kubernetes()


def _prepare_images(cluster: Cluster, archives: Sequence[Path]) -> Path:
    programs = ProgramCache().ensure(COREDNS)
    all_archives = [*ensure_system_images(programs["coredns"]), *archives]
    return cluster.prepare_images([ArchivedImage.read(path) for path in all_archives])


def _apply_objects(cluster: Cluster) -> None:
    home = next(n.name for n in cluster.nodes if n.config.role == "control-plane")
    dns = build_dns_objects(cluster.plan.dns_service, node=home)
    for path, body in dns.items():
        cluster.api.apply(path, body)
    cluster.api.apply(
        MARKER,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "kilonova-lab", "namespace": "kube-system"},
            "data": {"lab-id": cluster.id},
        },
    )


def _introduce(cluster: Cluster, node: Node) -> None:
    """Give a node what only an admin may: its role, and its place in a cell."""
    path = f"/api/v1/nodes/{node.name}"
    _await(f"registration of {node.name}", lambda: cluster.api.find(path) is not None)
    cluster.api.apply(
        path,
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": node.name, "labels": build_admin_labels(node.config)},
            "spec": {"podCIDR": str(node.pods), "podCIDRs": [str(node.pods)]},
        },
    )


def _is_ready(cluster: Cluster, node: Node) -> bool:
    found: Mapping[str, Any] = cluster.api.get(f"/api/v1/nodes/{node.name}")
    conditions = found["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _resolves(node: Node) -> bool:
    """Ask the cluster's DNS by its Service address, as everything on a node does."""
    return node.exec(["getent", "hosts", _DNS_QUESTION]).returncode == 0


def _await(what: str, holds: Callable[[], bool]) -> None:
    """Wait until something holds; an answer that does not come is "not yet".

    A machine that is busy starting a cluster leaves one request or the other
    unanswered.
    """
    deadline = time.monotonic() + _SECONDS
    last: OSError | None = None
    while True:
        try:
            if holds():
                return
        except OSError as error:
            last = error
        if time.monotonic() > deadline:
            detail = f"last trouble: {last}" if last else ""
            raise NotReady(what, seconds=_SECONDS, detail=detail)
        time.sleep(_POLL_SECONDS)
