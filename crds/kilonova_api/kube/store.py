"""What an informer knows: entries by key, and indexes over them.

Keeps no raw objects, only what ``parse`` made of them with the uid and version
it came from: a kind of 100,000 objects fits as slots summaries.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from kilonova_api.kube.resources import Key

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One known object. ``version`` is its own resourceVersion."""

    uid: str
    version: int
    value: T


class Store(Mapping[Key, T]):
    """A read-only mapping for everybody but its informer."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry[T]] = {}
        self._indexers: dict[str, Callable[[T], Iterable[Hashable]]] = {}
        self._indexes: dict[str, dict[Hashable, set[Key]]] = {}

    def __getitem__(self, key: Key) -> T:
        return self._entries[key].value

    def __iter__(self) -> Iterator[Key]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def find_entry(self, key: Key) -> Entry[T] | None:
        """Give the entry with its uid and version."""
        return self._entries.get(key)

    def add_index(self, name: str, indexer: Callable[[T], Iterable[Hashable]]) -> None:
        """Index present and future values by what ``indexer`` gives for each."""
        self._indexers[name] = indexer
        self._indexes[name] = {}
        for key, entry in self._entries.items():
            self._link(name, key, entry.value)

    def by_index(self, name: str, value: Hashable) -> list[T]:
        """Give the values that an indexer filed under ``value``, by key order."""
        return [self[key] for key in sorted(self._indexes[name].get(value, ()))]

    def put(self, key: Key, entry: Entry[T]) -> None:
        """Set one entry."""
        self.drop(key)
        self._entries[key] = entry
        for name in self._indexers:
            self._link(name, key, entry.value)

    def drop(self, key: Key) -> None:
        """Remove one entry; an unknown key is fine."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        for name in self._indexers:
            self._unlink(name, key, entry.value)

    def _link(self, name: str, key: Key, value: T) -> None:
        for found in self._indexers[name](value):
            self._indexes[name].setdefault(found, set()).add(key)

    def _unlink(self, name: str, key: Key, value: T) -> None:
        index = self._indexes[name]
        for found in self._indexers[name](value):
            keys = index.get(found)
            if keys is None:
                continue
            keys.discard(key)
            if not keys:
                del index[found]
