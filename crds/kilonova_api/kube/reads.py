"""The reading half of the client: objects, lists in pages, watches."""

import builtins
from collections.abc import AsyncGenerator

from kilonova_api.kube.api import ObjectList, WatchEvent
from kilonova_api.kube.caller import Asker
from kilonova_api.kube.clock import Deadline
from kilonova_api.kube.errors import Call, Gone, NotFound
from kilonova_api.kube.resources import KubeObject, Resource
from kilonova_api.kube.stream import stream_events
from kilonova_api.kube.transport import Request

PAGE_SIZE = 500
LIST_ATTEMPTS = 3
# Twice the server's own pause between bookmarks.
WATCH_SILENCE_SECONDS = 120.0


class Reads(Asker):
    """``KubeApi``'s verbs that change nothing."""

    async def get_path(
        self, path: str, *, deadline: Deadline | None = None
    ) -> KubeObject:
        """Read what is no resource: ``/version``, ``/openapi/v3/...``."""
        call = Call("get", path, kind=path)
        return await self._ask(Request(call, "GET", path), deadline=deadline)

    async def get(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        """See ``KubeApi.get``."""
        call = Call.on("get", resource, namespace, name)
        return await self._ask(Request(call, "GET", call.path), deadline=deadline)

    async def find(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        deadline: Deadline | None = None,
    ) -> KubeObject | None:
        """See ``KubeApi.find``."""
        try:
            return await self.get(resource, namespace, name, deadline=deadline)
        except NotFound:
            return None

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        deadline: Deadline | None = None,
    ) -> ObjectList:
        """See ``KubeApi.list``."""
        for left in reversed(range(LIST_ATTEMPTS)):
            items: builtins.list[KubeObject] = []
            version = ""
            try:
                async for page in self.pages(
                    resource,
                    namespace,
                    label_selector=label_selector,
                    field_selector=field_selector,
                    deadline=deadline,
                ):
                    items.extend(page.items)
                    version = page.resource_version
            except Gone:
                if not left:
                    raise
            else:
                return ObjectList(items, version)
        raise AssertionError("the last attempt returns or raises")

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        deadline: Deadline | None = None,
        limit: int = PAGE_SIZE,
    ) -> AsyncGenerator[ObjectList, None]:
        """See ``Lister.pages``."""
        call = Call.on("list", resource, namespace, None)
        query = _selectors(label_selector, field_selector) | {"limit": str(limit)}
        while True:
            request = Request(call, "GET", call.path, query)
            answer = await self._ask(request, deadline=deadline)
            metadata = answer["metadata"]
            # Null where a list of nothing comes from an old server.
            yield ObjectList(answer["items"] or [], metadata["resourceVersion"])
            position = metadata.get("continue")
            if not position:
                return
            query = query | {"continue": position}

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
        """See ``Lister.watch``."""
        call = Call.on("watch", resource, namespace, None)
        query = _selectors(label_selector, field_selector) | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(int(timeout_seconds)),
        }
        events = stream_events(
            self._caller.transport,
            Request(call, "GET", call.path, query),
            timeout_seconds=timeout_seconds,
            silence_seconds=WATCH_SILENCE_SECONDS,
        )
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()


def _selectors(
    label_selector: str | None, field_selector: str | None
) -> dict[str, str]:
    query = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {name: value for name, value in query.items() if value}
