"""Pods that do nothing by themselves and can be asked to look around."""

import subprocess
from pathlib import Path
from typing import Any

from kilonova_lab.cluster import Cluster
from kilonova_lab.images.archive import ImageConfig, LayerFile, write_archive
from support.waiting import eventually

PROBE_IMAGE = "localhost/kilonova-tests/probe:1"
_BUSYBOX = Path("/bin/busybox")  # Debian's busybox-static: one file, no libraries


def write_probe_image(folder: Path) -> Path:
    """Write the probe's image archive; equal on every call."""
    archive = folder / "probe.tar"
    busybox = LayerFile("busybox", _BUSYBOX.read_bytes(), mode=0o755)
    config = ImageConfig(entrypoint=["/busybox"])
    write_archive(archive, PROBE_IMAGE, layers=[[busybox]], config=config)
    return archive


def build_probe_pod(name: str, node: str, *, args: list[str]) -> dict[str, Any]:
    """Return a pod on one node that runs busybox with these arguments."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "probe",
                    "image": PROBE_IMAGE,
                    "imagePullPolicy": "Never",
                    "args": args,
                }
            ],
        },
    }


class Probe:
    """A running probe pod."""

    def __init__(self, cluster: Cluster, name: str, node: str) -> None:
        self._cluster = cluster
        self.name = name
        self._path = f"/api/v1/namespaces/default/pods/{name}"
        cluster.api.create(
            "/api/v1/namespaces/default/pods",
            build_probe_pod(
                name, node, args=["httpd", "-f", "-vv", "-p", "80", "-h", "/"]
            ),
        )

    def wait_until_running(self) -> str:
        """Return its address once it has one and runs."""

        def runs() -> bool:
            return self._get_status().get("phase") == "Running"

        eventually(runs, f"pod {self.name} runs", timeout_seconds=60)
        address: str = self._get_status()["podIP"]
        return address

    def exec(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run busybox in it by kubectl exec."""
        return self.kubectl("exec", self.name, "--", "/busybox", *argv)

    def fetch(self, address: str) -> subprocess.CompletedProcess[str]:
        """GET a page from port 80 there; static busybox' own wget crashes."""
        request = "printf 'GET /busybox HTTP/1.0\\r\\n\\r\\n'"
        ask = f"{request} | /busybox nc -w 3 {address} 80 | /busybox head -c 15"
        return self.exec("sh", "-c", ask)

    def kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the lab's kubectl."""
        program = self._cluster.bin_folders[0] / "kubectl"
        return subprocess.run(
            [program, f"--kubeconfig={self._cluster.kubeconfig}", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def delete(self) -> None:
        """Remove it at once."""
        self._cluster.api.delete(f"{self._path}?gracePeriodSeconds=0")

    def _get_status(self) -> dict[str, Any]:
        status: dict[str, Any] = self._cluster.api.get(self._path)["status"]
        return status
