"""The seam between the code that decides and the API server.

Everything that reads or writes objects takes a ``KubeApi``; ``KubeClient`` is
the real one. Tests that break a call at a chosen place wrap it.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from kilonova_api.kube.clock import Deadline
from kilonova_api.kube.resources import KubeObject, Resource

Propagation = Literal["Background", "Foreground", "Orphan"]
WatchEventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


@dataclass(frozen=True, slots=True)
class ObjectList:
    """A list, or one page of it, and the store's version it shows."""

    items: list[KubeObject]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch. A bookmark's object has a version and nothing else."""

    type: WatchEventType
    object: KubeObject
    resource_version: str


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A short-lived token; its text stays out of every repr."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BoundObject:
    """The object whose end also ends a token that is bound to it."""

    api_version: str
    kind: str
    name: str
    uid: str


class Lister(Protocol):
    """What an informer needs."""

    def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        deadline: Deadline | None = None,
        limit: int = ...,
    ) -> AsyncGenerator[ObjectList, None]:
        """List the newest state, page by page; all pages show one version.

        The deadline holds for each page. Gone: the first page is too old by
        now, start again.
        """
        ...

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: float = ...,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Stream what happens after a version, bookmarks included.

        Ends when the server ends it as agreed; a cut connection is
        Unreachable, a compacted version Gone. Close it (contextlib.aclosing).
        """
        ...


class KubeApi(Lister, Protocol):
    """Typed verbs; each ends within its deadline, its own retries included."""

    async def get(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        """Read one object; NotFound when absent."""
        ...

    async def find(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        deadline: Deadline | None = None,
    ) -> KubeObject | None:
        """Read one object; None when absent."""
        ...

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        deadline: Deadline | None = None,
    ) -> ObjectList:
        """Read all objects of one version; for large kinds see ``pages``."""
        ...

    async def create(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        """Create by POST; AlreadyExists when the name is taken."""
        ...

    async def apply_new(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool = True,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        """Apply an object that is not there yet.

        If it is there after all, the fields of ``body`` are set on it. Only
        for objects whose name cannot come to mean something else; whatever was
        read before is written with ``apply_existing``.
        """
        ...

    async def apply_existing(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        uid: str,
        field_manager: str,
        subresource: str | None = None,
        resource_version: str | None = None,
        force: bool = True,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        """Apply to the object with that uid and to no other.

        Without the uid, an apply that is late by one delete makes the deleted
        object anew.

        On the status of a custom kind the server does not compare the uid. So
        name the ``resource_version`` that was read, too, where an object may be
        followed by another of its name. Without it the write is done, and told
        as a Conflict afterwards: the successor's own next status replaces it.

        Raises:
            Conflict: that object is gone, replaced, or in another version.
            NotFound: the same, on a subresource.
            SchemaTooOld: the served CRD lacks a field; no retry can help.
        """
        ...

    async def replace(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        subresource: str | None = None,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        """Replace by PUT the very version in ``body``; else Conflict."""
        ...

    async def json_patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        *,
        subresource: str | None = None,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        """Apply a JSON patch; a failed ``test`` is Invalid.

        Repeated when no answer came, so every patch begins with a ``test``.
        """
        ...

    async def remove_finalizer(
        self,
        resource: Resource,
        obj: KubeObject,
        finalizer: str,
        *,
        deadline: Deadline | None = None,
    ) -> None:
        """Take one finalizer off that very object; done if either is gone."""
        ...

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str,
        resource_version: str | None = None,
        propagation: Propagation = "Background",
        deadline: Deadline | None = None,
    ) -> None:
        """Delete the object with that uid (and version).

        Raises:
            NotFound: no object of that name.
            Conflict: the object of that name is another one or a newer version.
        """
        ...

    async def create_token(
        self,
        namespace: str,
        service_account: str,
        *,
        audiences: Sequence[str] = (),
        expiration_seconds: int = 3600,
        bound_object: BoundObject | None = None,
        deadline: Deadline | None = None,
    ) -> IssuedToken:
        """Ask for a token of an account (TokenRequest)."""
        ...
