"""The quickstart: apply ``examples/quickstart`` and show the guest it makes."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kilonova_lab.deploy.install import NAMESPACE, describe_conditions
from kilonova_lab.deploy.kubectl import Kubectl
from kilonova_lab.deploy.waiting import Awaited, wait_for
from kilonova_lab.errors import CommandFailed
from kilonova_lab.folders import REPOSITORY
from kilonova_lab.stopwatch import Stopwatch

EXAMPLE = REPOSITORY / "examples" / "quickstart"
EXAMPLE_NAMESPACE = "quickstart"
EXAMPLE_SERVER = "hello"

_SERVER_SECONDS = 120
_GUEST_SECONDS = 120
_GUEST_READY = "TINY GUEST READY"
_CONSOLE_LINES = 15


@dataclass(frozen=True, slots=True)
class GuestFile:
    """Where the cluster finds the guest image, and its SHA-256 in hex."""

    url: str
    sha256: str


def read_example(image: GuestFile) -> Iterator[dict[str, Any]]:
    """Yield the example's objects, its Image pointing to the given file."""
    # The namespace first; the order of all others must not matter.
    for path in sorted(EXAMPLE.glob("*.yaml"), key=lambda p: p.stem != "namespace"):
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] == "Image":
                document["spec"] |= {
                    "url": image.url,
                    "checksum": f"sha256:{image.sha256}",
                }
            yield document


def apply_example(kubectl: Kubectl, image: GuestFile, watch: Stopwatch) -> None:
    """Apply the example and wait until its Server is Ready.

    Raises:
        NotReady: it was not; carries what the Server's conditions said.
    """
    watch.report(f"applying {EXAMPLE.relative_to(REPOSITORY)}")
    namespace, *others = read_example(image)
    kubectl.apply(namespace)
    kubectl.apply(*others)

    def status() -> Mapping[str, Any]:
        server = kubectl.find("servers", EXAMPLE_SERVER, EXAMPLE_NAMESPACE)
        found: Mapping[str, Any] = (server or {}).get("status", {})
        return found

    def ready() -> bool | None:
        conditions = status().get("conditions", [])
        ready = any((c["type"], c["status"]) == ("Ready", "True") for c in conditions)
        return ready or None

    def explain() -> str:
        now = status()
        words = (now.get("state"), now.get("task"), describe_conditions(now))
        return " ".join(word for word in words if word)

    what = f"server {EXAMPLE_NAMESPACE}/{EXAMPLE_SERVER}"
    wait_for(Awaited(what, _SERVER_SECONDS, explain), ready, watch)
    watch.report(f"{what} is Ready")


@dataclass(frozen=True, slots=True)
class GuestView:
    """A look at a guest through its host's agent: console text and screen."""

    kubectl: Kubectl
    server: Mapping[str, Any]

    def read_console(self) -> str:
        """Return what the guest wrote to its serial console so far."""
        return self._run_in_agent("console", self._uuid)

    def take_screenshot(self, path: Path) -> None:
        """Write a picture of the guest's screen as PNG."""
        encoded = self._run_in_agent("screenshot", self._uuid)
        path.write_bytes(base64.b64decode(encoded))

    @property
    def _uuid(self) -> str:
        uuid: str = self.server["status"]["uuid"]
        return uuid

    def _run_in_agent(self, verb: str, uuid: str) -> str:
        host = self.server["status"]["host"]
        pods = self.kubectl.run(
            *("get", "pods", "-n", NAMESPACE),
            *("-l", "app.kubernetes.io/name=kilonova-agent"),
            f"--field-selector=spec.nodeName={host},status.phase=Running",
            *("-o", "jsonpath={.items[0].metadata.name}"),
        )
        guest = ("/opt/kilonova/bin/kilonova-agent", "guest", verb, uuid)
        return self.kubectl.run("exec", "-n", NAMESPACE, pods, "--", *guest)


def show_example(kubectl: Kubectl, picture: Path, watch: Stopwatch) -> str:
    """Wait for the guest's own word and return what a person wants to see.

    That is the Server's table row, its address, the end of its serial console
    and the name of the picture of its screen.
    """
    server = kubectl.find("servers", EXAMPLE_SERVER, EXAMPLE_NAMESPACE) or {}
    view = GuestView(kubectl, server)

    def ready() -> str | None:
        try:
            console = view.read_console()
        except CommandFailed:  # no console yet
            return None
        return console if _GUEST_READY in console else None

    console = wait_for(Awaited("the guest's console", _GUEST_SECONDS), ready, watch)
    watch.report("the guest says that it is ready")
    view.take_screenshot(picture)
    table = kubectl.run(
        *("get", "servers", EXAMPLE_SERVER, "-n", EXAMPLE_NAMESPACE, "-o", "wide")
    )
    tail = "\n".join(f"    {line}" for line in console.splitlines()[-_CONSOLE_LINES:])
    return (
        f"{table}\naddress: {server['status'].get('address', '(none)')}\n"
        f"serial console:\n{tail}\nscreen: {picture}\n"
    )
