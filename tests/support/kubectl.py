"""kubectl and helm of the lab's tool cache, as somebody in particular."""

import json
import ssl
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from secrets import token_hex
from tempfile import NamedTemporaryFile
from typing import Any, Self

from kilonova_api import KINDS
from kilonova_api.kube.resources import (
    CONFIG_MAP,
    LEASE,
    NAMESPACE,
    NODE,
    POD,
    ROLE_BINDING,
    SECRET,
    SERVICE_ACCOUNT,
)
from kilonova_lab.controlplane import ControlPlane
from kilonova_lab.deploy.kubectl import Kubectl, Outcome

_TIMEOUT_SECONDS = 120
_CORE = (NAMESPACE, NODE, POD, SECRET, SERVICE_ACCOUNT, ROLE_BINDING, LEASE, CONFIG_MAP)
_RESOURCES = {
    resource.kind: resource
    for resource in (*_CORE, *(kind.resource() for kind in KINDS))
}


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs kubectl or helm with one kubeconfig."""

    programs: Path
    kubeconfig: Path

    @classmethod
    def of_admin(cls, control_plane: ControlPlane) -> Self:
        """Be the cluster's admin."""
        return cls(control_plane.layout.programs, control_plane.kubeconfig)

    def with_token(self, token: str) -> Self:
        """Be whoever the token says. No client certificate is left beside it."""
        config = json.loads(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        path = self.kubeconfig.with_name(f"token-{token_hex(4)}.kubeconfig")
        path.write_text(json.dumps(config))
        return type(self)(self.programs, path)

    def with_kubeconfig(self, path: Path) -> Self:
        """Be the user of another kubeconfig."""
        return type(self)(self.programs, path)

    def run(self, *command: str, stdin: str | None = None) -> Outcome:
        """Run a program; whatever it answers is returned."""
        runner = Kubectl(
            self.kubeconfig, self.programs / "kubectl", self.programs / "helm"
        )
        return runner.attempt(
            self.programs / command[0],
            *command[1:],
            text=stdin,
            timeout_seconds=_TIMEOUT_SECONDS,
        )

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it printed; it must succeed."""
        outcome = self.run("kubectl", *arguments, stdin=stdin)
        assert outcome.ok, str(outcome)
        return outcome.stdout

    def refused(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return its error; it must fail."""
        outcome = self.run("kubectl", *arguments, stdin=stdin)
        assert not outcome.ok, f"was not refused: {outcome}"
        return outcome.stderr

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/merge-patch+json",
    ) -> tuple[int, str]:
        """Send one request as the kubeconfig's user: milliseconds, not a process."""
        config = json.loads(self.kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        user = config["users"][0]["user"]
        headers = {"Content-Type": content_type}
        if "token" in user:
            headers["Authorization"] = f"Bearer {user['token']}"
        request = urllib.request.Request(  # noqa: S310 - the tests' own server
            cluster["server"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers=headers,
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=_build_context(cluster, user)),
        )
        try:
            with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def post(self, path: str, body: object) -> dict[str, Any]:
        """Create something; it must succeed."""
        code, text = self.send("POST", path, body, content_type="application/json")
        assert code == HTTPStatus.CREATED, f"POST {path}: {code} {text}"
        created: dict[str, Any] = json.loads(text)
        return created

    def say_status(
        self, manifest: Mapping[str, Any], status: Mapping[str, Any]
    ) -> tuple[int, str]:
        """Write an object's status, by the one right that a controller has."""
        resource = _RESOURCES[manifest["kind"]]
        metadata = manifest["metadata"]
        path = resource.collection_path(metadata.get("namespace"))
        body = {"status": dict(status)}
        return self.send("PATCH", f"{path}/{metadata['name']}/status", body)

    def helm(self, *arguments: str) -> str:
        """Run helm and return what it printed; it must succeed."""
        outcome = self.run("helm", *arguments)
        assert outcome.ok, str(outcome)
        return outcome.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return an object or a list by kubectl get."""
        found: dict[str, Any] = json.loads(
            self.kubectl("get", *arguments, "-o", "json")
        )
        return found

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create one object of a kind that the project knows."""
        resource = _RESOURCES[manifest["kind"]]
        namespace = manifest["metadata"].get("namespace")
        return self.post(resource.collection_path(namespace), manifest)


def _build_context(
    cluster: Mapping[str, str], user: Mapping[str, str]
) -> ssl.SSLContext:
    ca = b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=ca)
    if "client-certificate-data" in user:
        with NamedTemporaryFile() as pair:  # load_cert_chain reads files only
            pair.write(b64decode(user["client-certificate-data"]))
            pair.write(b64decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
    return context
