"""The cluster that is measured: the one of ``make up``, else one of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from kilonova_api.names import ALLOW_DELETE_ANNOTATION
from kilonova_lab.cluster import DEFAULT_ID, Cluster
from kilonova_lab.deploy.kubectl import Kubectl
from kilonova_lab.deploy.quickstart import GuestFile
from kilonova_lab.deploy.up import build_guest_file, build_kubectl, deploy
from kilonova_lab.errors import NotReady, NotRunning
from kilonova_lab.stopwatch import Stopwatch

_T = TypeVar("_T")
_POLL_SECONDS = 0.02
_SERVERS = "/apis/compute.kilonova.dev/v1alpha1/namespaces/{}/servers"
_USER_DATA = "#!/bin/sh\necho measured\n"
FLAVOR = "bench.tiny"


def say(text: str) -> None:
    """Print progress where it does not mix with the result."""
    print(text, file=sys.stderr, flush=True)


def wait_until(look: Callable[[], _T | None], what: str, *, seconds: float = 120) -> _T:
    """Call ``look`` until it returns something.

    Raises:
        NotReady: it returned None until the end.
    """
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise NotReady(what, seconds=seconds)
        time.sleep(_POLL_SECONDS)
    return found


@dataclass(frozen=True, slots=True)
class BenchLab:
    """A cluster with Kilonova, and a namespace with a flavor, image and network."""

    cluster: Cluster
    kubectl: Kubectl
    image: GuestFile
    namespace: str

    @property
    def servers_path(self) -> str:
        """Where the API server keeps this namespace's Servers."""
        return _SERVERS.format(self.namespace)

    def prepare(self) -> None:
        """Make the namespace and what its Servers refer to."""
        meta = {"namespace": self.namespace}
        image = {
            "url": self.image.url,
            "checksum": f"sha256:{self.image.sha256}",
            "format": "qcow2",
        }
        size = {"vcpus": 1, "ramMiB": 128, "rootGiB": 1}
        self.kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": self.namespace,
                    # The guard counts its Servers for some minutes after the last.
                    "annotations": {ALLOW_DELETE_ANNOTATION: self.namespace},
                },
            },
            _build("Flavor", {"name": FLAVOR}, size),
            _build("Image", meta | {"name": "tiny"}, image),
            _build("Network", meta | {"name": "private"}, {"type": "NAT"}),
        )

    def create(self, name: str) -> None:
        """Create a Server with user data and one network."""
        spec = {
            "flavorRef": {"name": FLAVOR},
            "imageRef": {"name": "tiny"},
            "networks": [{"name": "eth0", "networkRef": {"name": "private"}}],
            "userData": _USER_DATA,
            "powerState": "Running",
        }
        meta = {"name": name, "namespace": self.namespace}
        self.cluster.api.create(self.servers_path, _build("Server", meta, spec))

    def await_ready(self, name: str) -> dict[str, Any]:
        """Wait until a Server is Ready; return its status."""

        def ready() -> dict[str, Any] | None:
            server = self.cluster.api.get(f"{self.servers_path}/{name}")
            status: dict[str, Any] = server.get("status", {})
            conditions = status.get("conditions", [])
            is_ready = any(
                (c["type"], c["status"]) == ("Ready", "True") for c in conditions
            )
            return status if is_ready else None

        return wait_until(ready, f"server {name}")

    def delete(self, name: str) -> None:
        """Delete a Server and wait until it is gone."""
        path = f"{self.servers_path}/{name}"
        self.cluster.api.delete(path)

        def gone() -> bool | None:
            return True if self.cluster.api.find(path) is None else None

        wait_until(gone, f"the end of server {name}")

    def guest_folder(self, status: dict[str, Any]) -> Path:
        """Return the folder of a Server's guest, as this machine sees it."""
        node = self.cluster.node(status["host"])
        kept = node.root / "kept" / "var-lib-kilonova"
        return kept / "instances" / str(status["uuid"])


def _build(kind: str, meta: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "compute.kilonova.dev/v1alpha1",
        "kind": kind,
        "metadata": meta,
        "spec": spec,
    }


@contextmanager
def open_lab() -> Iterator[BenchLab]:
    """Take the cluster of ``make up``, or run one for as long as it is measured."""
    try:
        cluster, is_own = Cluster.open(DEFAULT_ID), False
        image = build_guest_file()
    except NotRunning:
        say("no `make up` runs here: starting a cluster for this measurement")
        cluster, is_own = Cluster.start("bench", report=say), True
        image = None
    try:
        image = image or deploy(cluster, Stopwatch(say)).image
        kubectl = build_kubectl(cluster)
        lab = BenchLab(cluster, kubectl, image, f"bench-{token_hex(3)}")
        lab.prepare()
        yield lab
        if not is_own:
            kubectl.delete("namespace", lab.namespace)
    finally:
        if is_own:
            cluster.stop()
