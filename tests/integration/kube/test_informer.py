"""The informer over an API server that restarts, and one put back in time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kilonova_api.kube.client import KubeClient
from kilonova_api.kube.clock import SystemClock
from kilonova_api.kube.config import load_kubeconfig
from kilonova_api.kube.errors import Gone, StoreWentBack
from kilonova_api.kube.informer import Informer
from kilonova_api.kube.resources import CONFIG_MAP, Key, KubeObject
from kilonova_lab.controlplane import ControlPlane

NAMESPACE = "default"


class Watched:
    """An informer of the ConfigMaps of one namespace; tests await its changes."""

    def __init__(self, kube: KubeClient, namespace: str, **options: Any) -> None:
        self.changed = asyncio.Event()
        self.heard: list[tuple[str, Any, Any]] = []
        self.informer: Informer[dict[str, str]] = Informer(
            kube,
            CONFIG_MAP,
            lambda obj: obj.get("data", {}),
            clock=SystemClock(),
            random=Random(1),
            namespace=namespace,
            **options,
        )
        self.informer.on_change(self._hear)
        self.task = asyncio.create_task(self.informer.run())

    def _hear(self, key: Key, old: Any, new: Any) -> None:
        self.heard.append((key.name, old, new))
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(30):
                while not condition():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise AssertionError(
                f"known: {dict(self.informer.items())}, heard: {self.heard}, "
                f"last error: {self.informer.last_error}, task: {self.task}"
            ) from None

    def data(self, name: str, namespace: str) -> dict[str, str] | None:
        return self.informer.find(Key(namespace, name))


@asynccontextmanager
async def watching(
    kube: KubeClient, namespace: str, **options: Any
) -> AsyncIterator[Watched]:
    watched = Watched(kube, namespace, **options)
    try:
        async with asyncio.timeout(30):
            await watched.informer.wait_synced()
        yield watched
    finally:
        watched.task.cancel()
        await asyncio.gather(watched.task, return_exceptions=True)


@asynccontextmanager
async def client_of(control_plane: ControlPlane) -> AsyncIterator[KubeClient]:
    clock = SystemClock()
    connection = await load_kubeconfig(control_plane.kubeconfig, clock=clock)
    async with KubeClient(connection, clock=clock, random=Random(1)) as client:
        yield client


async def _put(kube: KubeClient, namespace: str, name: str, value: str) -> KubeObject:
    metadata = {"namespace": namespace, "name": name}
    body = {"metadata": metadata, "data": {"x": value}}
    return await kube.apply_new(CONFIG_MAP, body, field_manager="test")


async def test_the_copy_follows_a_real_server(kube: KubeClient, namespace: str) -> None:
    await _put(kube, namespace, "before", "1")
    async with watching(kube, namespace) as watched:
        assert watched.data("before", namespace) == {"x": "1"}
        made = await _put(kube, namespace, "a", "1")
        await _put(kube, namespace, "a", "2")
        await kube.delete(CONFIG_MAP, namespace, "a", uid=made["metadata"]["uid"])
        await watched.until(lambda: ("a", {"x": "2"}, None) in watched.heard)
        told = [event for event in watched.heard if event[0] == "a"]
    assert told == [
        ("a", None, {"x": "1"}),
        ("a", {"x": "1"}, {"x": "2"}),
        ("a", {"x": "2"}, None),
    ]


async def test_a_restarted_api_server_costs_no_change_and_is_no_step_back(
    own_control_plane: ControlPlane,
) -> None:
    async with client_of(own_control_plane) as kube:
        made = await _put(kube, NAMESPACE, "goes", "1")
        async with watching(kube, NAMESPACE) as watched:
            await _put(kube, NAMESPACE, "stays", "1")
            await watched.until(lambda: watched.data("stays", NAMESPACE) is not None)
            await asyncio.to_thread(own_control_plane.apiserver.kill)
            await asyncio.to_thread(own_control_plane.apiserver.start)
            await asyncio.to_thread(own_control_plane.apiserver.wait_until_ready)
            uid = made["metadata"]["uid"]
            await kube.delete(CONFIG_MAP, NAMESPACE, "goes", uid=uid)
            await _put(kube, NAMESPACE, "stays", "2")
            await watched.until(
                lambda: (
                    watched.data("stays", NAMESPACE) == {"x": "2"}
                    and watched.data("goes", NAMESPACE) is None
                )
            )
            assert not watched.task.done()
            assert watched.informer.last_error is None
        # What happened before its start, the new server cannot replay.
        ancient = kube.watch(CONFIG_MAP, NAMESPACE, resource_version="1")
        async with asyncio.timeout(10), aclosing(ancient):
            with pytest.raises(Gone):
                await anext(ancient)


async def test_a_store_put_back_in_time_ends_the_informer_and_not_the_copy(
    own_control_plane: ControlPlane, tmp_path: Path
) -> None:
    cp, told = own_control_plane, list[tuple[int, int]]()
    async with client_of(cp) as kube:
        await _put(kube, NAMESPACE, "old", "1")
        await asyncio.to_thread(cp.save_store, tmp_path / "yesterday")
        async with watching(
            kube, NAMESPACE, on_store_went_back=lambda *seen: told.append(seen)
        ) as watched:
            for number in range(30):
                await _put(kube, NAMESPACE, "new", str(number))
            await watched.until(
                lambda: watched.data("new", NAMESPACE) == {"x": str(29)}
            )
            highest = watched.informer.highest_version
            await asyncio.to_thread(cp.restore_store, tmp_path / "yesterday")
            async with asyncio.timeout(60):
                with pytest.raises(StoreWentBack, match="resourceVersion went back"):
                    await watched.task
            assert watched.data("new", NAMESPACE) == {"x": "29"}
        assert [seen for seen, _ in told] == [highest]
        assert told[0][1] < highest
        # Why it must be so: a watch that resumes there hears nothing at all.
        assert await _is_deaf(kube, highest)
        # And the next process, which knows the number, sees it in its first list.
        late = Watched(kube, NAMESPACE, floor=highest)
        async with asyncio.timeout(30):
            with pytest.raises(StoreWentBack):
                await late.task


async def _is_deaf(kube: KubeClient, version: int) -> bool:
    events = kube.watch(CONFIG_MAP, NAMESPACE, resource_version=str(version))
    hearing = asyncio.ensure_future(anext(events))
    await _put(kube, NAMESPACE, "unheard", "1")
    done, _ = await asyncio.wait([hearing], timeout=2)
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    await events.aclose()
    return not done
