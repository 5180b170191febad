"""Statuses: written by server-side apply, to the very object that was read.

Every apply carries the uid and the version that was read. The uid alone does not
do: the API server leaves it out of account where the status of a custom kind is
applied, and a late status would land on a new object of the old name. None is
sent when the object already shows what would be written: an idle operator
writes nothing.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Resource
from kilonova_api.meta import ObjectMeta, Status


class WithStatus(Protocol):
    """Any object of our kinds."""

    @classmethod
    def resource(cls) -> Resource:
        """Return where the API server keeps this kind."""
        ...

    @property
    def metadata(self) -> ObjectMeta:
        """Name, namespace, uid."""
        ...

    @property
    def status(self) -> Status:
        """The status as it was read."""
        ...


@dataclass(frozen=True, slots=True)
class StatusWriter:
    """Writes statuses as one field manager.

    ``foreign``: top-level fields of the status that belong to somebody else;
    they are neither compared nor written.
    """

    kube: KubeApi
    field_manager: str
    foreign: frozenset[str] = frozenset()

    async def write(
        self, obj: WithStatus, status: Status, *, fields: frozenset[str] | None = None
    ) -> bool:
        """Make the object's status show ``status``; tell whether it was written.

        With ``fields`` exactly these are compared and applied. Without, the
        status is ours as a whole (``foreign`` apart): what was given to it
        explicitly is applied, and what it shows beside that is taken out.

        Raises:
            NotFound: the object is gone.
            Conflict: the object is another one, or changed since it was read.
            SchemaTooOld: the served CRD lacks a field.
        """
        ours = fields or frozenset(type(status).model_fields) - self.foreign
        if _shows(obj.status, status, ours):
            return False
        metadata = {"name": obj.metadata.name}
        if obj.metadata.namespace:
            metadata["namespace"] = obj.metadata.namespace
        body = {"metadata": metadata, "status": build_status_body(status, fields)}
        await self.kube.apply_existing(
            obj.resource(),
            body,
            uid=obj.metadata.uid,
            field_manager=self.field_manager,
            subresource="status",
            resource_version=obj.metadata.resource_version or None,
        )
        return True


def build_status_body(status: Status, fields: frozenset[str] | None) -> dict[str, Any]:
    """Return the wire form of ``fields``, else of those that were given."""
    return status.model_dump(
        mode="json",
        by_alias=True,
        exclude_none=True,
        exclude_unset=fields is None,
        include=None if fields is None else set(fields),
    )


def _shows(current: Status, wanted: Status, fields: frozenset[str]) -> bool:
    same = all(
        getattr(current, name) == getattr(wanted, name)
        for name in fields - {"conditions"}
    )
    # A list map comes back in the server's order.
    return same and set(current.conditions) == set(wanted.conditions)
