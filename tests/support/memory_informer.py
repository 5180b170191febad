"""An informer over a MemoryCluster that is never behind."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from kilonova_api.kube.resources import Key, KubeObject
from support.memory_cluster import MemoryCluster

T = TypeVar("T")


class MemoryInformer(Generic[T]):
    """What services use of an informer."""

    def __init__(
        self, cluster: MemoryCluster, kind: str, parse: Callable[[KubeObject], T]
    ) -> None:
        self._kind = kind
        self._parse = parse
        self._values: dict[Key, T] = {}
        self._indexers: dict[str, Callable[[T], Iterable[Hashable]]] = {}
        self._handlers: list[Callable[[Key, T | None, T | None], None]] = []
        self.synced = True
        for obj in cluster.all(kind):
            self._values[Key.of_object(obj)] = parse(obj)
        cluster.handlers.append(self._changed)

    def on_change(self, handler: Callable[[Key, T | None, T | None], None]) -> None:
        self._handlers.append(handler)

    def add_index(self, name: str, indexer: Callable[[T], Iterable[Hashable]]) -> None:
        self._indexers[name] = indexer

    def find(self, key: Key) -> T | None:
        return self._values.get(key)

    def items(self) -> Mapping[Key, T]:
        return self._values

    def by_index(self, name: str, value: Hashable) -> list[T]:
        indexer = self._indexers[name]
        return [v for _, v in sorted(self._values.items()) if value in indexer(v)]

    def __len__(self) -> int:
        return len(self._values)

    def _changed(self, kind: str, old: Any, new: Any) -> None:
        if kind != self._kind:
            return
        key = Key.of_object(new or old)
        before = self._values.pop(key, None)
        after = None if new is None else self._parse(new)
        if after is not None:
            self._values[key] = after
        for handler in self._handlers:
            handler(key, before, after)
