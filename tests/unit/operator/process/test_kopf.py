"""kopf watches and enqueues; it keeps and writes nothing."""

import copy
import itertools
from random import Random
from typing import Any, Self

import kopf

from kilonova_api.kube.resources import Key
from kilonova_operator.handlers.events import WATCHED, build_registry, enqueue
from kilonova_operator.process.kopf_settings import build_kopf_settings
from kilonova_operator.services.control.feeds import FeedKind


class Recorder:
    def __init__(self) -> None:
        self.published: list[tuple[FeedKind, Key, str | None]] = []

    def publish(self, kind: FeedKind, key: Key, *, cell: str | None) -> None:
        self.published.append((kind, key, cell))

    def __copy__(self) -> Self:
        return self


async def call(kind: FeedKind, **fields: Any) -> list[tuple[FeedKind, Key, str | None]]:
    recorder = Recorder()
    given: dict[str, Any] = {"namespace": "shop", "name": "web", "status": {}}
    await enqueue(param=kind, memo=recorder, **(given | fields))
    return recorder.published


async def test_an_event_becomes_a_key() -> None:
    assert await call(FeedKind.NETWORKS) == [
        (FeedKind.NETWORKS, Key("shop", "web"), None)
    ]


async def test_a_server_in_a_cell_goes_to_its_cell_too() -> None:
    assert await call(FeedKind.SERVERS, status={"cell": "cell1"}) == [
        (FeedKind.SERVERS, Key("shop", "web"), "cell1")
    ]


async def test_a_cluster_scoped_object_has_no_namespace() -> None:
    assert await call(FeedKind.FLAVORS, namespace=None, name="m1.small") == [
        (FeedKind.FLAVORS, Key("", "m1.small"), None)
    ]


def test_only_handlers_of_single_events_are_registered() -> None:
    registry = build_registry()
    assert len(registry._watching._handlers) == len(WATCHED)
    assert not registry._changing._handlers
    assert not registry._spawning._handlers
    assert not registry._indexing._handlers


def test_kopf_keeps_nothing_and_posts_nothing() -> None:
    settings = build_kopf_settings(Random(1))
    body: Any = kopf.Body({"metadata": {"name": "web"}, "spec": {"big": "body"}})
    storage = settings.persistence.diffbase_storage
    patch: Any = kopf.Patch()
    essence = storage.build(body=body)
    storage.store(body=body, patch=patch, essence=essence)
    settings.persistence.progress_storage.touch(body=body, patch=patch, value="x")
    assert not patch
    assert storage.fetch(body=body) == essence
    assert settings.scanning.disabled
    assert not settings.posting.enabled


def test_retries_never_run_out_and_never_grow_without_bound() -> None:
    settings = build_kopf_settings(Random(1))
    backoffs = settings.networking.error_backoffs
    assert not isinstance(backoffs, float)
    pauses = list(itertools.islice(backoffs, 200))
    assert len(pauses) == 200
    assert max(pauses) <= 15
    assert len(list(itertools.islice(backoffs, 3))) == 3, "each request begins anew"


def test_the_watch_time_is_whole_seconds() -> None:
    timeout = build_kopf_settings(Random(1)).watching.server_timeout
    assert isinstance(timeout, int)


def test_the_publisher_is_shared_by_all_objects() -> None:
    recorder = Recorder()
    assert copy.copy(recorder) is recorder
