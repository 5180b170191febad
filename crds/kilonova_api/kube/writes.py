"""The writing half of the client.

A uid makes an apply or a delete mean one object for ever, so those are
repeated freely. What has no uid (yet) goes out again only when the server
certainly did not do it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova_api.kube.api import Propagation
from kilonova_api.kube.bodies import build_typed, encode_apply, encode_json
from kilonova_api.kube.clock import Deadline
from kilonova_api.kube.errors import Call, Conflict, Invalid, NotFound
from kilonova_api.kube.reads import Reads
from kilonova_api.kube.resources import Key, KubeObject, Resource
from kilonova_api.kube.transport import Request

# Other hands on the same finalizers; each attempt loses to one real change.
FINALIZER_ATTEMPTS = 5


class Writes(Reads):
    """``KubeApi``'s verbs that change something."""

    async def create(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        """See ``KubeApi.create``."""
        typed = build_typed(resource, body)
        metadata = typed["metadata"]
        namespace, name = metadata.get("namespace"), metadata.get("name")
        call = Call.on("create", resource, namespace, name)
        path = resource.collection_path(namespace)
        request = Request(call, "POST", path, body=encode_json(typed))
        return await self._ask(request, repeatable=False, deadline=deadline)

    async def apply_new(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool = True,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        """See ``KubeApi.apply_new``."""
        typed = build_typed(resource, body)
        request = _build_apply(resource, typed, None, _manager(field_manager, force))
        return await self._ask(request, repeatable=False, deadline=deadline)

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
        """See ``KubeApi.apply_existing``."""
        if not uid:
            raise ValueError(f"an apply to an existing {resource.kind} needs its uid")
        typed = build_typed(resource, body, uid=uid, version=resource_version or "")
        query = _manager(field_manager, force)
        request = _build_apply(resource, typed, subresource, query)
        written = await self._ask(request, deadline=deadline)
        if (successor := written["metadata"]["uid"]) != uid:
            raise Conflict(
                request.call,
                f"the {subresource} of another object, {successor}, was written: "
                f"{uid} is gone",
            )
        return written

    async def replace(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        subresource: str | None = None,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        """See ``KubeApi.replace``."""
        typed = build_typed(resource, body)
        metadata = typed["metadata"]
        if not (metadata.get("uid") and metadata.get("resourceVersion")):
            raise ValueError(f"a replaced {resource.kind} needs uid and version")
        key = Key.of_object(typed)
        call = Call.on("replace", resource, key.namespace, key.name)
        path = resource.path(key.namespace, key.name, subresource=subresource)
        request = Request(call, "PUT", path, body=encode_json(typed))
        return await self._ask(request, deadline=deadline)

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
        """See ``KubeApi.json_patch``."""
        if not operations or operations[0].get("op") != "test":
            raise ValueError("a JSON patch must begin with a test")
        call = Call.on("patch", resource, namespace, name)
        request = Request(
            call,
            "PATCH",
            resource.path(namespace, name, subresource=subresource),
            body=encode_json(operations),
            content_type="application/json-patch+json",
        )
        return await self._ask(request, deadline=deadline)

    async def remove_finalizer(
        self,
        resource: Resource,
        obj: KubeObject,
        finalizer: str,
        *,
        deadline: Deadline | None = None,
    ) -> None:
        """See ``KubeApi.remove_finalizer``."""
        key, uid = Key.of_object(obj), obj["metadata"]["uid"]
        seen: KubeObject | None = obj
        for left in reversed(range(FINALIZER_ATTEMPTS)):
            if seen is None or seen["metadata"]["uid"] != uid:
                return
            finalizers = seen["metadata"].get("finalizers", [])
            if finalizer not in finalizers:
                return
            at = f"/metadata/finalizers/{finalizers.index(finalizer)}"
            operations = [
                {"op": "test", "path": "/metadata/uid", "value": uid},
                {"op": "test", "path": at, "value": finalizer},
                {"op": "remove", "path": at},
            ]
            try:
                await self.json_patch(resource, *key, operations, deadline=deadline)
            except NotFound:
                return
            except Invalid:  # somebody changed the list meanwhile: look again
                if not left:
                    raise
                seen = await self.find(resource, *key, deadline=deadline)
            else:
                return

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
        """See ``KubeApi.delete``."""
        if not uid:
            raise ValueError(f"deleting a {resource.kind} needs its uid")
        preconditions = {"uid": uid}
        if resource_version:
            preconditions["resourceVersion"] = resource_version
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": preconditions,
            "propagationPolicy": propagation,
        }
        call = Call.on("delete", resource, namespace, name)
        request = Request(call, "DELETE", call.path, body=encode_json(options))
        await self._ask(request, deadline=deadline)


def _manager(field_manager: str, force: bool) -> dict[str, str]:  # noqa: FBT001
    return {"fieldManager": field_manager, "force": "true" if force else "false"}


def _build_apply(
    resource: Resource,
    typed: KubeObject,
    subresource: str | None,
    query: dict[str, str],
) -> Request:
    key = Key.of_object(typed)
    return Request(
        Call.on("apply", resource, key.namespace, key.name),
        "PATCH",
        resource.path(key.namespace, key.name, subresource=subresource),
        query,
        body=encode_apply(typed),
        content_type="application/apply-patch+yaml",
    )
