"""Reading objects, and errors of the API server in one line."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from kubernetes.client import CustomObjectsApi
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from kilonova_api.kube.resources import Resource
from kilonova_cli.connection import Chosen
from kilonova_cli.errors import CliError, ClusterSilent, NotAllowed, NotThere

TIMEOUT_SECONDS = (5.0, 30.0)
_PAGE_OBJECTS = 500
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Objects of one cluster as the caller may see them."""

    chosen: Chosen

    @property
    def namespace(self) -> str:
        """The namespace that is meant where none is named."""
        return self.chosen.namespace

    def get(
        self, resource: Resource, name: str, *, namespace: str | None = None
    ) -> dict[str, Any]:
        """Return an object as the API server has it; ``namespace``: another one.

        Raises:
            NotThere, NotAllowed, ClusterSilent: each says what to do.
        """
        objects = CustomObjectsApi(self.chosen.api)
        where = (resource.group, resource.version)
        what = f"{resource.kind} {name}"
        if not resource.namespaced:
            read = objects.get_cluster_custom_object
            found = self._call(read, *where, resource.plural, name, what=what)
        else:
            own = namespace or self.namespace
            found = self._call(
                objects.get_namespaced_custom_object,
                *where,
                own,
                resource.plural,
                name,
                what=f"{what} in namespace {own}",
            )
        return dict(found)

    def list(
        self, resource: Resource, *, all_namespaces: bool = False
    ) -> list[dict[str, Any]]:
        """Return all objects of a kind, of one namespace or of all."""
        return list(self._pages(resource, all_namespaces=all_namespaces))

    def _pages(
        self, resource: Resource, *, all_namespaces: bool
    ) -> Iterator[dict[str, Any]]:
        objects = CustomObjectsApi(self.chosen.api)
        where: tuple[str, ...] = (resource.group, resource.version)
        read: Callable[..., Any] = objects.list_cluster_custom_object
        what = resource.plural
        if resource.namespaced and not all_namespaces:
            read = objects.list_namespaced_custom_object
            where = (*where, self.namespace)
            what += f" of namespace {self.namespace}"
        following = ""
        while True:
            page = self._call(
                read,
                *where,
                resource.plural,
                limit=_PAGE_OBJECTS,
                what=what,
                **({"_continue": following} if following else {}),
            )
            yield from page["items"]
            following = page["metadata"].get("continue") or ""
            if not following:
                return

    def _call(
        self, method: Callable[..., Any], *arguments: Any, what: str, **options: Any
    ) -> Any:
        return call(
            lambda: method(*arguments, _request_timeout=TIMEOUT_SECONDS, **options),
            what=what,
            server=str(self.chosen.api.configuration.host),
        )


def call(method: Callable[[], T], *, what: str, server: str) -> T:
    """Call the API server; its errors become one line each."""
    try:
        return method()
    except ApiException as error:
        raise _translate(error, what) from None
    except HTTPError as error:
        raise ClusterSilent(
            f"API server {server} does not answer: {_shorten(error)}. Check --context "
            "and --kubeconfig"
        ) from None


def _translate(error: ApiException, what: str) -> CliError:
    text = _read_message(error)
    if error.status == _UNAUTHORIZED:
        return NotAllowed(f"the API server does not know you: {text}. Log in again")
    if error.status == _FORBIDDEN:
        return NotAllowed(f"{text}. Ask an admin for that right")
    if error.status == _NOT_FOUND:
        if "could not find the requested resource" in text:
            return NotThere(
                f"the cluster has no {what}: Kilonova's CRDs are not installed there. "
                "Check --context"
            )
        check = "the name and --namespace" if " in namespace " in what else "the name"
        return NotThere(f"{what} does not exist. Check {check}")
    return CliError(f"{what}: the API server answers {error.status}: {text}")


def _read_message(error: ApiException) -> str:
    try:
        message = json.loads(error.body or "")["message"]
    except (ValueError, KeyError, TypeError):
        message = error.reason or error.body or "no reason given"
    return " ".join(str(message).split())


def _shorten(error: HTTPError) -> str:
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split()).rpartition("> : ")[2].rpartition(">: ")[2]
