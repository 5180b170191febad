"""The few requests the lab itself makes to its API server.

Only the standard library: readiness is asked for many times while the server
starts, and the project's own client is what the lab exists to test.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from kilonova_lab.errors import LabError

_FIELD_MANAGER = "kilonova-lab"


class ApiRefused(LabError):
    """The API server answered with an error status."""

    def __init__(self, method: str, path: str, status: int, text: str) -> None:
        self.status = status
        super().__init__(f"{method} {path}: {status} {text[:2000]}")


@dataclass(frozen=True, slots=True)
class Api:
    """A client of one API server, authenticated by a client certificate."""

    server: str
    context: ssl.SSLContext = field(repr=False)
    timeout_seconds: float = 10.0

    @classmethod
    def from_kubeconfig(cls, path: Path) -> Api:
        """Make a client from a kubeconfig that the lab wrote."""
        config = json.loads(path.read_text())
        cluster = config["clusters"][0]["cluster"]
        user = config["users"][0]["user"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=ca)
        with NamedTemporaryFile() as pair:  # load_cert_chain reads files only
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(base64.b64decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
        return cls(cluster["server"], context)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        """Send one request and return the answer's body.

        Raises:
            ApiRefused: the server answered with an error.
            OSError: the server did not answer.
        """
        request = urllib.request.Request(  # noqa: S310 - the server is our own
            self.server + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": content_type},
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=self.context),
        )
        try:
            with opener.open(request, timeout=self.timeout_seconds) as answer:
                read: bytes = answer.read()
                return read
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise ApiRefused(method, path, error.code, text) from None
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error

    def get(self, path: str) -> dict[str, Any]:
        """Return one object or list."""
        answer: dict[str, Any] = json.loads(self.request("GET", path))
        return answer

    def find(self, path: str) -> dict[str, Any] | None:
        """Return one object, or None where there is none."""
        try:
            return self.get(path)
        except ApiRefused as refused:
            if refused.status == http.HTTPStatus.NOT_FOUND:
                return None
            raise

    def apply(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create or change the object at ``path`` by server-side apply."""
        query = urllib.parse.urlencode(
            {"fieldManager": _FIELD_MANAGER, "force": "true"}
        )
        answer: dict[str, Any] = json.loads(
            self.request(
                "PATCH",
                f"{path}?{query}",
                body=body,
                content_type="application/apply-patch+yaml",
            )
        )
        return answer

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object in the collection at ``path``."""
        answer: dict[str, Any] = json.loads(self.request("POST", path, body=body))
        return answer

    def delete(self, path: str) -> None:
        """Delete the object at ``path``; one that is gone is fine."""
        try:
            self.request("DELETE", path)
        except ApiRefused as refused:
            if refused.status != http.HTTPStatus.NOT_FOUND:
                raise

    def is_ready(self) -> bool:
        """Tell whether the server says that it is ready."""
        return self.answers("/readyz")

    def answers(self, path: str) -> bool:
        """Tell whether a GET of ``path`` succeeds now."""
        try:
            self.request("GET", path)
        except (ApiRefused, OSError):
            return False
        return True
