"""All kinds of a small API server in memory, with server-side apply.

Enough of the real one to run operator and agent against each other in
milliseconds: uids, versions, generations, field managers, finalizers, owner
references, and the Instance's rules. What it claims is checked against a real
server in tests/integration/operator.
"""

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from kilonova_api.kube.api import ObjectList
from kilonova_api.kube.clock import Clock, Deadline
from kilonova_api.kube.errors import (
    AlreadyExists,
    Call,
    Conflict,
    Invalid,
    NotFound,
)
from kilonova_api.kube.resources import Key, KubeObject, Resource
from kilonova_api.names import GROUP, SERVER_FINALIZER
from support.apply import FieldOwners

ChangeHandler = Callable[[str, KubeObject | None, KubeObject | None], None]


class MemoryCluster:
    """The objects of all kinds; every change is told to ``handlers``."""

    def __init__(self, clock: Clock, *, sets_finalizers: bool = True) -> None:
        self.clock = clock
        self.sets_finalizers = sets_finalizers
        self.objects: dict[tuple[str, Key], KubeObject] = {}
        self.handlers: list[ChangeHandler] = []
        self.writes: list[str] = []
        self._owners: dict[str, FieldOwners] = {}
        self._versions = itertools.count(100)

    # Reading.

    def all(self, kind: str) -> list[KubeObject]:
        return [
            copy.deepcopy(obj)
            for (known, _), obj in sorted(self.objects.items())
            if known == kind
        ]

    async def find(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        deadline: Deadline | None = None,
    ) -> KubeObject | None:
        found = self.objects.get((resource.kind, Key.of(namespace, name)))
        return copy.deepcopy(found)

    async def get(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        found = await self.find(resource, namespace, name)
        if found is None:
            raise NotFound(Call.on("get", resource, namespace, name))
        return found

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        deadline: Deadline | None = None,
    ) -> ObjectList:
        """List what is there; of the selectors only one for a name counts."""
        name = (field_selector or "").removeprefix("metadata.name=")
        items = [
            obj
            for obj in self.all(resource.kind)
            if namespace in (None, obj["metadata"].get("namespace"))
            and name in ("", obj["metadata"]["name"])
        ]
        return ObjectList(items, "0")

    # Writing.

    async def create(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        key = Key.of_object(dict(body))
        self._wrote("create", resource, key)
        if (resource.kind, key) in self.objects:
            raise AlreadyExists(Call.on("create", resource, key.namespace, key.name))
        return self._create(resource, key, body, manager="user")

    async def apply_new(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool = True,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        key = Key.of_object(dict(body))
        self._wrote("apply", resource, key)
        if (resource.kind, key) not in self.objects:
            return self._create(resource, key, body, manager=field_manager)
        return self._apply(resource, key, body, manager=field_manager)

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
        key = Key.of_object(dict(body))
        self._wrote("apply", resource, key, subresource)
        call = Call.on("apply", resource, key.namespace, key.name)
        found = self.objects.get((resource.kind, key))
        if found is None:
            raise NotFound(call) if subresource else Conflict(call)
        if found["metadata"]["uid"] != uid:
            raise Conflict(call)
        if resource_version not in (None, found["metadata"]["resourceVersion"]):
            raise Conflict(call)
        return self._apply(resource, key, body, manager=field_manager)

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
        key = Key.of(namespace, name)
        self._wrote("patch", resource, key)
        before = await self.get(resource, namespace, name)
        after = copy.deepcopy(before)
        for operation in operations:
            _patch(after, operation, Call.on("patch", resource, namespace, name))
        return self._put(resource, key, after)

    async def remove_finalizer(
        self,
        resource: Resource,
        obj: KubeObject,
        finalizer: str,
        *,
        deadline: Deadline | None = None,
    ) -> None:
        key = Key.of_object(obj)
        found = self.objects.get((resource.kind, key))
        if found is None or found["metadata"]["uid"] != obj["metadata"]["uid"]:
            return
        if finalizer not in found["metadata"].get("finalizers", ()):
            return
        self._wrote("patch", resource, key)
        after = copy.deepcopy(found)
        after["metadata"]["finalizers"].remove(finalizer)
        self._put(resource, key, after)

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str,
        resource_version: str | None = None,
        propagation: str = "Background",
        deadline: Deadline | None = None,
    ) -> None:
        key = Key.of(namespace, name)
        self._wrote("delete", resource, key)
        found = await self.get(resource, namespace, name)
        version = found["metadata"]["resourceVersion"]
        if found["metadata"]["uid"] != uid or resource_version not in (None, version):
            raise Conflict(Call.on("delete", resource, namespace, name))
        self.delete_now(resource.kind, key)

    # What users and careless hands do; none of it counts as a write of ours.

    def put(self, resource: Resource, body: Mapping[str, Any]) -> KubeObject:
        """Create or change as a user with kubectl apply."""
        key = Key.of_object(dict(body))
        if (resource.kind, key) not in self.objects:
            return self._create(resource, key, body, manager="user")
        return self._apply(resource, key, body, manager="user")

    def delete_now(self, kind: str, key: Key) -> None:
        """Delete; an object with finalizers is only marked."""
        found = self.objects[kind, key]
        if not found["metadata"].get("finalizers"):
            self.vanish(kind, key)
        elif "deletionTimestamp" not in found["metadata"]:
            after = copy.deepcopy(found)
            after["metadata"]["deletionTimestamp"] = self._now()
            after["metadata"]["generation"] += 1
            self._store(kind, key, after)

    def vanish(self, kind: str, key: Key) -> None:
        """Remove an object and what it owns, whatever holds it."""
        gone = self.objects.pop((kind, key))
        uid = gone["metadata"]["uid"]
        self._owners.pop(uid, None)
        for handler in self.handlers:
            handler(kind, gone, None)
        for (other, owned), obj in list(self.objects.items()):
            owners = obj["metadata"].get("ownerReferences", ())
            if any(owner["uid"] == uid for owner in owners):
                self.vanish(other, owned)

    def _create(
        self, resource: Resource, key: Key, body: Mapping[str, Any], *, manager: str
    ) -> KubeObject:
        obj = copy.deepcopy(dict(body))
        obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
        obj["metadata"] |= {
            "uid": str(uuid4()),
            "generation": 1,
            "creationTimestamp": self._now(),
        }
        if resource.group == GROUP:
            obj.setdefault("status", {"observedGeneration": -1})
        if resource.kind == "Server" and self.sets_finalizers:
            obj["metadata"].setdefault("finalizers", [SERVER_FINALIZER])
        self._owners_of(obj).set(manager, body)
        return self._store(resource.kind, key, obj)

    def _apply(
        self, resource: Resource, key: Key, body: Mapping[str, Any], *, manager: str
    ) -> KubeObject:
        found = self.objects[resource.kind, key]
        after = self._owners_of(found).apply(manager, found, body)
        return self._put(resource, key, after)

    def _put(self, resource: Resource, key: Key, after: KubeObject) -> KubeObject:
        before = self.objects[resource.kind, key]
        if resource.kind == "Instance":
            _check_instance(before, after, Call.on("apply", resource, *key))
        if after == before:
            return copy.deepcopy(before)
        if after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = before["metadata"]["generation"] + 1
        stored = self._store(resource.kind, key, after)
        meta = after["metadata"]
        if "deletionTimestamp" in meta and not meta.get("finalizers"):
            self.vanish(resource.kind, key)
        return stored

    def _store(self, kind: str, key: Key, obj: KubeObject) -> KubeObject:
        before = self.objects.get((kind, key))
        obj["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[kind, key] = obj
        for handler in self.handlers:
            handler(kind, before, obj)
        return copy.deepcopy(obj)

    def _owners_of(self, obj: KubeObject) -> FieldOwners:
        return self._owners.setdefault(obj["metadata"]["uid"], FieldOwners())

    def _now(self) -> str:
        now = self.clock.utcnow().replace(microsecond=0)
        return now.isoformat().replace("+00:00", "Z")

    def _wrote(
        self, verb: str, resource: Resource, key: Key, subresource: str | None = None
    ) -> None:
        part = f"/{subresource}" if subresource else ""
        self.writes.append(f"{verb} {resource.kind}{part} {key.name}")


def _check_instance(before: KubeObject, after: KubeObject, call: Call) -> None:
    old, new = before["spec"], after["spec"]
    for field in ("writer", "placementGeneration"):
        if new[field] < old[field]:
            raise Invalid(call, f"{field} must not go back")
    if "destroy" in old and "destroy" not in new:
        raise Invalid(call, "destroy must not be taken back")
    if new["host"] != old["host"] or new["server"]["uid"] != old["server"]["uid"]:
        raise Invalid(call, "host and server.uid are immutable")


def _patch(obj: KubeObject, operation: Mapping[str, Any], call: Call) -> None:
    *parents, last = operation["path"].strip("/").split("/")
    target: Any = obj
    for part in parents:
        target = target[int(part)] if isinstance(target, list) else target[part]
    if operation["op"] == "test":
        if target.get(last) != operation["value"]:
            raise Invalid(call, f"test of {operation['path']} failed")
    elif isinstance(target, list):
        target.append(operation["value"])
    else:
        target[last] = copy.deepcopy(operation["value"])
