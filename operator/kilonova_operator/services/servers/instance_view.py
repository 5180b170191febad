"""Instances as informers show them, corrected by what was just written.

An informer lags a moment behind our own writes. Deciding on the older state
would repeat them: harmless, but a write more for each Server.
"""

from dataclasses import dataclass
from typing import Protocol

from kilonova_api.instance import Instance
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import Key, KubeObject

_BELIEVED_SECONDS = 10.0
_KEPT_SECONDS = 60.0
_MOST_NOTED = 10_000


class InstanceIndex(Protocol):
    """What is needed of the informer of Instances."""

    def find(self, key: Key) -> Instance | None:
        """Give the Instance, None when absent."""
        ...

    def by_index(self, name: str, value: str) -> list[Instance]:
        """Give the Instances filed under ``value``."""
        ...


@dataclass(slots=True)
class _Noted:
    instance: Instance
    at: float
    seen: bool


class InstanceView:
    """The newest known state of Instances."""

    def __init__(
        self, index: InstanceIndex, clock: Clock, *, server_uid_index: str
    ) -> None:
        """``server_uid_index``: the informer's index by the Server's uid."""
        self._index = index
        self._clock = clock
        self._server_uid_index = server_uid_index
        self._noted: dict[str, dict[Key, _Noted]] = {}
        """By uid of the Server."""

    def of_server(self, server_uid: str) -> tuple[Instance, ...]:
        """Return a Server's Instances on all hosts, newest placement first."""
        watched = self._index.by_index(self._server_uid_index, server_uid)
        by_key = {_key(instance): instance for instance in watched}
        noted = self._noted.get(server_uid, {})
        for key in tuple(noted):
            newest = self._newest(noted, key, by_key.get(key))
            if newest is not None:
                by_key[key] = newest
        if not noted:
            self._noted.pop(server_uid, None)
        return tuple(
            sorted(by_key.values(), key=lambda i: -i.spec.placement_generation)
        )

    def note(self, written: KubeObject) -> Instance:
        """Note an Instance as a write returned it."""
        instance = Instance.model_validate(written)
        key = _key(instance)
        seen = self._index.find(key) is not None
        if len(self._noted) >= _MOST_NOTED:
            self._forget_old()
        of_server = self._noted.setdefault(instance.spec.server.uid, {})
        of_server[key] = _Noted(instance, self._clock.boottime(), seen)
        return instance

    def forget(self, instance: Instance) -> None:
        """Note that an Instance is gone, whatever was noted."""
        uid = instance.spec.server.uid
        of_server = self._noted.get(uid, {})
        of_server.pop(_key(instance), None)
        if not of_server:
            self._noted.pop(uid, None)

    def _forget_old(self) -> None:
        """Drop what the informer has shown long ago, of Servers nobody asks for."""
        oldest = self._clock.boottime() - _KEPT_SECONDS
        self._noted = {
            uid: of_server
            for uid, of_server in self._noted.items()
            if any(noted.at > oldest for noted in of_server.values())
        }

    def _newest(
        self, of_server: dict[Key, _Noted], key: Key, watched: Instance | None
    ) -> Instance | None:
        noted = of_server[key]
        if watched is not None:
            noted.seen = True
            if _version(watched) < _version(noted.instance):
                return noted.instance
        elif not noted.seen and self._is_fresh(noted):
            return noted.instance
        # The informer has caught up: it shows this state, a newer one, or that
        # the object is gone.
        del of_server[key]
        return watched

    def _is_fresh(self, noted: _Noted) -> bool:
        return self._clock.boottime() - noted.at < _BELIEVED_SECONDS


def _key(instance: Instance) -> Key:
    return Key.of(instance.metadata.namespace, instance.metadata.name)


def _version(instance: Instance) -> int:
    return int(instance.metadata.resource_version or 0)
