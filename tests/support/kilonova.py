"""Kilonova on the lab's cluster: what end-to-end tests apply, await and look at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import pytest

from kilonova_lab.cluster import Cluster
from kilonova_lab.deploy.install import describe_conditions
from kilonova_lab.deploy.kubectl import Kubectl
from kilonova_lab.deploy.quickstart import GuestFile, GuestView
from kilonova_lab.deploy.up import build_kubectl, deploy
from kilonova_lab.node import Node
from kilonova_lab.stopwatch import Stopwatch
from support.explanation import INSTALLED
from support.waiting import eventually

API_VERSION = "compute.kilonova.dev/v1alpha1"
GUEST_READY = "TINY GUEST READY"
READY_SECONDS = 90.0
GUEST_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Kilonova:
    """An installed Kilonova and one namespace of a test's own."""

    cluster: Cluster
    kubectl: Kubectl
    image: GuestFile
    namespace: str = field(default_factory=lambda: f"t-{token_hex(3)}")

    def with_namespace(self) -> Kilonova:
        """Return the same in a fresh namespace that has a flavor, image, network."""
        fresh = Kilonova(self.cluster, self.kubectl, self.image)
        fresh.kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": fresh.namespace},
            }
        )
        fresh.kubectl.apply(
            fresh.build("Flavor", "e2e.tiny", spec=FLAVOR, namespaced=False),
            fresh.build("Image", "tiny", spec=self._image_spec()),
            fresh.build("Network", "private", spec={"type": "NAT"}),
        )
        return fresh

    def _image_spec(self) -> dict[str, Any]:
        checksum = f"sha256:{self.image.sha256}"
        return {"url": self.image.url, "checksum": checksum, "format": "qcow2"}

    def build(
        self, kind: str, name: str, *, spec: Mapping[str, Any], namespaced: bool = True
    ) -> dict[str, Any]:
        """Return an object of ours."""
        metadata = {"name": name} | (
            {"namespace": self.namespace} if namespaced else {}
        )
        return {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": metadata,
            "spec": dict(spec),
        }

    def build_server(self, name: str, **spec: Any) -> dict[str, Any]:
        """Return a Server of the tiny flavor on the NAT network."""
        usual = {
            "flavorRef": {"name": "e2e.tiny"},
            "imageRef": {"name": "tiny"},
            "networks": [{"name": "eth0", "networkRef": {"name": "private"}}],
            "powerState": "Running",
        }
        return self.build("Server", name, spec=usual | spec)

    def create_server(self, name: str, **spec: Any) -> None:
        """Apply a Server."""
        self.kubectl.apply(self.build_server(name, **spec))

    def server(self, name: str) -> dict[str, Any]:
        """Return a Server; empty where there is none."""
        return self.kubectl.find("servers", name, self.namespace) or {}

    def status(self, name: str) -> dict[str, Any]:
        """Return a Server's status."""
        status: dict[str, Any] = self.server(name).get("status", {})
        return status

    def patch_spec(self, name: str, **spec: Any) -> None:
        """Merge into a Server's spec."""
        patch = json.dumps({"spec": spec})
        self.kubectl.run(
            *("patch", "servers", name, "-n", self.namespace),
            *("--type", "merge", "-p", patch),
        )

    def await_ready(self, name: str, state: str = "ACTIVE") -> dict[str, Any]:
        """Wait until a Server is Ready in that state; return its status."""

        def ready() -> bool:
            server = self.server(name)
            status = server.get("status", {})
            conditions = status.get("conditions", [])
            return (
                status.get("state") == state
                and status.get("observedGeneration") == server["metadata"]["generation"]
                and any(
                    (c["type"], c["status"]) == ("Ready", "True") for c in conditions
                )
            )

        self._eventually(ready, name, f"{name} Ready and {state}", READY_SECONDS)
        return self.status(name)

    def await_condition(self, name: str, type_: str, reason: str) -> dict[str, Any]:
        """Wait for a condition that is True with this reason; return it."""
        found: dict[str, Any] = {}

        def there() -> bool:
            for condition in self.status(name).get("conditions", []):
                if (condition["type"], condition["reason"]) == (type_, reason):
                    found.update(condition)
                    return True
            return False

        self._eventually(there, name, f"{name} {type_}: {reason}", READY_SECONDS)
        return found

    def _eventually(self, check: Any, name: str, what: str, seconds: float) -> None:
        try:
            eventually(check, what, timeout_seconds=seconds)
        except AssertionError as late:
            status = self.status(name)
            said = f"{status.get('state')}: {describe_conditions(status)}"
            raise AssertionError(f"{late}; it is {said}") from None

    def delete_server(self, name: str, *, wait_seconds: float = 60) -> None:
        """Delete a Server and wait until it is gone."""
        self.kubectl.delete("servers", name, self.namespace, wait_seconds=wait_seconds)

    def delete_all_servers(self, *, wait_seconds: float = 90) -> None:
        """Delete the namespace's Servers and wait until they are gone."""
        self.kubectl.run(
            *("delete", "servers", "--all", "-n", self.namespace),
            f"--timeout={wait_seconds:.0f}s",
            timeout_seconds=wait_seconds + 10,
        )

    def console(self, name: str) -> str:
        """Return what a Server's guest said on its serial console."""
        return GuestView(self.kubectl, self.server(name)).read_console()

    def await_guest(self, name: str, text: str = GUEST_READY) -> str:
        """Wait until the guest said this; return all it said."""
        node = self.node(self.status(name)["host"])
        log = f"/var/lib/kilonova/instances/{self.status(name)['uuid']}/console.log"

        def said() -> bool:
            return node.exec(["grep", "-q", text, log]).returncode == 0

        self._eventually(said, name, f"{name} says {text!r}", GUEST_SECONDS)
        return self.console(name)

    def node(self, name: str) -> Node:
        """Return a node of the lab."""
        return self.cluster.node(name)

    def domains(self) -> dict[str, list[str]]:
        """Return the uuids of the guests that run, by host."""
        return {host.name: list_domains(host) for host in self.cluster.hypervisors}

    def count_domains(self, uuid: str) -> int:
        """Return how many guests of this uuid run on all hosts together."""
        return sum(uuids.count(uuid) for uuids in self.domains().values())


FLAVOR = {"vcpus": 1, "ramMiB": 128, "rootGiB": 1}


def list_domains(node: Node) -> list[str]:
    """Return the uuids of the guests that run on a host, ours or not."""
    listed = node.exec(["virsh", "-q", "list", "--uuid"])
    assert listed.returncode == 0, listed.stderr
    return listed.stdout.split()


@pytest.fixture(scope="session")
def installed(cluster: Cluster, request: pytest.FixtureRequest) -> Kilonova:
    """Kilonova on the session's cluster."""
    request.session.stash[INSTALLED] = build_kubectl(cluster)
    deployed = deploy(cluster, Stopwatch(print))
    return Kilonova(cluster, deployed.kubectl, deployed.image)


@contextmanager
def own_namespace(installed: Kilonova) -> Iterator[Kilonova]:
    """Run in a fresh namespace; its Servers are gone afterwards."""
    fresh = installed.with_namespace()
    try:
        yield fresh
    finally:
        fresh.delete_all_servers()


@pytest.fixture
def kilonova(installed: Kilonova) -> Iterator[Kilonova]:
    """A namespace of the test's own; its Servers are gone afterwards."""
    with own_namespace(installed) as fresh:
        yield fresh
