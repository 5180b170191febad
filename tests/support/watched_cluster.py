"""The API server in memory, with the lists and watches of an informer."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

from kilonova_api.kube.api import ObjectList, WatchEvent, WatchEventType
from kilonova_api.kube.clock import Clock, Deadline
from kilonova_api.kube.resources import Key, KubeObject, Resource
from support.memory_cluster import MemoryCluster

_Told = tuple[str, WatchEvent]


class WatchedCluster(MemoryCluster):
    """Everything that ever happened can be watched again."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._version = 100
        self._history: list[_Told] = []
        self._streams: set[asyncio.Queue[_Told]] = set()
        self.handlers.append(self._tell)

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
        items = [
            obj
            for obj in self.all(resource.kind)
            if namespace in (None, obj["metadata"].get("namespace"))
        ]
        yield ObjectList(items, str(self._version))

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
        stream: asyncio.Queue[_Told] = asyncio.Queue()
        for told in self._history:
            if int(told[1].resource_version) > int(resource_version):
                stream.put_nowait(told)
        self._streams.add(stream)
        try:
            while True:
                kind, event = await stream.get()
                where = event.object["metadata"].get("namespace")
                if kind == resource.kind and namespace in (None, where):
                    yield event
        finally:
            self._streams.discard(stream)

    async def replace(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        subresource: str | None = None,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        after = copy.deepcopy(dict(body))
        return self._put(resource, Key.of_object(after), after)

    def _tell(self, kind: str, old: KubeObject | None, new: KubeObject | None) -> None:
        if new is not None:
            obj, event = new, "MODIFIED"
        else:
            assert old is not None
            obj, event = old, "DELETED"
            # A delete has a version of its own; the object would show the last.
            version = {"resourceVersion": str(next(self._versions))}
            obj = obj | {"metadata": obj["metadata"] | version}
        self._version = int(obj["metadata"]["resourceVersion"])
        told = WatchEvent(
            cast("WatchEventType", event), copy.deepcopy(obj), str(self._version)
        )
        self._history.append((kind, told))
        for stream in self._streams:
            stream.put_nowait((kind, told))
