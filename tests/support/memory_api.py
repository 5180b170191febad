"""A small API server in memory: versions, uids, watches, and faults on demand.

It knows one kind at a time and neither schema nor field managers; what it does
is checked against a real server in tests/integration/kube.
"""

import asyncio
import copy
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

from kilonova_api.kube.api import ObjectList, WatchEvent, WatchEventType
from kilonova_api.kube.clock import Deadline
from kilonova_api.kube.errors import (
    AlreadyExists,
    Call,
    Conflict,
    Gone,
    KubeError,
    NotFound,
    Unreachable,
)
from kilonova_api.kube.resources import Key, KubeObject, Resource

CALL = Call("test", "/test")


def build_unreachable() -> Unreachable:
    return Unreachable(CALL, "cut by the test", sent=True)


class MemoryApi:
    """The store is one dict; its history is what watches may still replay."""

    def __init__(self, version: int = 100) -> None:
        self.version = version
        self.objects: dict[Key, KubeObject] = {}
        self.calls: list[str] = []
        self.before_call: Callable[[str], None] | None = None
        self.before_reply: Callable[[], Awaitable[None]] | None = None
        self.deaf = False  # watches answer, and give nothing at all
        self._history: list[WatchEvent] = []
        self._compacted = version
        self._uids = itertools.count(1)
        self._streams: set[asyncio.Queue[WatchEvent | KubeError | None]] = set()

    # What a user does.

    def put(self, name: str, **fields: Any) -> KubeObject:
        """Create or change the object of that name."""
        key = Key("shop", name)
        known = self.objects.get(key)
        uid = known["metadata"]["uid"] if known else f"uid-{next(self._uids)}"
        metadata = {"namespace": key.namespace, "name": key.name, "uid": uid}
        return self._write(key, {"metadata": metadata, **fields})

    def remove(self, name: str) -> None:
        """Delete the object of that name, if it is there."""
        key = Key("shop", name)
        if key in self.objects:
            gone = self.objects.pop(key)
            self.version += 1
            metadata = gone["metadata"] | {"resourceVersion": str(self.version)}
            self._tell("DELETED", gone | {"metadata": metadata})

    # What happens to a server.

    def bookmark(self) -> None:
        """Tell all watches how far the store is."""
        version = {"resourceVersion": str(self.version)}
        self._send(WatchEvent("BOOKMARK", {"metadata": version}, str(self.version)))

    def end_streams(self, error: KubeError | None = None) -> None:
        """End all watches: in good order, or by an error."""
        for stream in self._streams:
            stream.put_nowait(error)

    def compact(self) -> None:
        """Forget the history up to now."""
        self._compacted = self.version
        self._history.clear()

    def save(self) -> tuple[int, dict[Key, KubeObject]]:
        """Back the store up."""
        return self.version, copy.deepcopy(self.objects)

    def restore(self, saved: tuple[int, dict[Key, KubeObject]]) -> None:
        """Put an older store back; streams that live on hear nothing more."""
        self.version, self.objects = saved[0], copy.deepcopy(saved[1])
        self._history.clear()
        self._streams.clear()

    @property
    def watchers(self) -> int:
        return len(self._streams)

    # What a client asks.

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        deadline: Deadline | None = None,
        limit: int = 500,
    ) -> AsyncGenerator[ObjectList, None]:
        self._called("list")
        version, objects = self.save()
        items = [objects[key] for key in sorted(objects)]
        for begin in range(0, max(len(items), 1), limit):
            yield ObjectList(items[begin : begin + limit], str(version))
            await asyncio.sleep(0)
            self._called("next page")

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: float = 300.0,
    ) -> AsyncGenerator[WatchEvent, None]:
        self._called(f"watch {resource_version}")
        since = int(resource_version)
        if since < self._compacted:
            raise Gone(CALL)
        stream: asyncio.Queue[WatchEvent | KubeError | None] = asyncio.Queue()
        if since > self.version or self.deaf:
            await asyncio.Event().wait()  # 200, and silence for ever
        for event in self._history:
            if int(event.resource_version) > since:
                stream.put_nowait(event)
        self._streams.add(stream)
        try:
            while isinstance(heard := await stream.get(), WatchEvent):
                yield heard
            if heard is not None:
                raise heard
        finally:
            self._streams.discard(stream)

    async def find(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        deadline: Deadline | None = None,
    ) -> KubeObject | None:
        self._called("find")
        return copy.deepcopy(self.objects.get(Key.of(namespace, name)))

    async def create(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        self._called("create")
        key = Key.of_object(dict(body))
        if key in self.objects:
            raise AlreadyExists(CALL)
        metadata = body["metadata"] | {"uid": f"uid-{next(self._uids)}"}
        return self._write(key, {**body, "metadata": metadata})

    async def replace(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        subresource: str | None = None,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        self._called("replace")
        key = Key.of_object(dict(body))
        known = self.objects.get(key)
        if known is None:
            raise NotFound(CALL)
        for field in ("uid", "resourceVersion"):
            if known["metadata"][field] != body["metadata"][field]:
                raise Conflict(CALL)
        written = self._write(key, dict(body))
        self._called("replaced")
        if self.before_reply is not None:
            await self.before_reply()
        return written

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if self.before_call is not None:
            self.before_call(what)

    def _write(self, key: Key, obj: KubeObject) -> KubeObject:
        self.version += 1
        metadata = obj["metadata"] | {"resourceVersion": str(self.version)}
        self.objects[key] = copy.deepcopy(obj | {"metadata": metadata})
        self._tell("MODIFIED", self.objects[key])
        return copy.deepcopy(self.objects[key])

    def _tell(self, kind: WatchEventType, obj: KubeObject) -> None:
        event = WatchEvent(kind, copy.deepcopy(obj), str(self.version))
        self._history.append(event)
        self._send(event)

    def _send(self, event: WatchEvent) -> None:
        if not self.deaf:
            for stream in self._streams:
                stream.put_nowait(event)
