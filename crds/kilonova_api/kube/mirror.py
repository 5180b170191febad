"""Facts from lists and watches, put into a store and told to handlers.

No I/O in here: the informer brings the facts, in the order of their versions.
"""

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from kilonova_api.kube.errors import StoreWentBack
from kilonova_api.kube.resources import Key, KubeObject
from kilonova_api.kube.store import Entry, Store

T = TypeVar("T")
ChangeHandler = Callable[[Key, T | None, T | None], None]
"""Hears key, old and new value; no old: appeared, no new: gone."""

logger = logging.getLogger(__name__)


class Mirror(Generic[T]):
    """The store of one kind and those who hear of its changes."""

    def __init__(self, what: str, parse: Callable[[KubeObject], T]) -> None:
        self._what = what
        self._parse = parse
        self._handlers: list[ChangeHandler[T]] = []
        self.store: Store[T] = Store()
        self.unparsable: dict[Key, str] = {}

    def on_change(self, handler: ChangeHandler[T]) -> None:
        """Let ``handler`` hear every change from now on."""
        self._handlers.append(handler)

    def take(self, obj: KubeObject) -> Key:
        """Note the present state of one object.

        An object of the same name with another uid is another object: the old
        one is told as gone before the new one appears.

        Raises:
            StoreWentBack: the object was seen in a later version before.
        """
        key = Key.of_object(obj)
        uid, version = obj["metadata"]["uid"], int(obj["metadata"]["resourceVersion"])
        known = self.store.find_entry(key)
        if known is not None and known.uid != uid:
            self.forget(key)
            known = None
        if known is not None and version <= known.version:
            if version < known.version:
                raise StoreWentBack(
                    f"{self._what} {key}", seen=known.version, got=version
                )
            return key
        try:
            value = self._parse(obj)
        except Exception as error:  # noqa: BLE001 - one bad object must not stop the rest
            self._note_unparsable(key, error)
            return key
        self.unparsable.pop(key, None)
        self.store.put(key, Entry(uid, version, value))
        self._tell(key, known.value if known else None, value)
        return key

    def forget(self, key: Key) -> None:
        """Note that an object is gone."""
        self.unparsable.pop(key, None)
        known = self.store.find_entry(key)
        if known is not None:
            self.store.drop(key)
            self._tell(key, known.value, None)

    def sweep(self, listed: set[Key]) -> None:
        """Note that what a complete list did not show is gone."""
        for key in [key for key in self.store if key not in listed]:
            self.forget(key)
        for key in [key for key in self.unparsable if key not in listed]:
            del self.unparsable[key]

    def _note_unparsable(self, key: Key, error: Exception) -> None:
        # Only the class: the message of a validation error quotes the values.
        reason = type(error).__name__
        if self.unparsable.get(key) != reason:
            self.unparsable[key] = reason
            logger.warning(
                "%s %s cannot be read (%s): its last readable state stays in use. "
                "Compare the installed CRDs with this program's version.",
                self._what,
                key,
                reason,
            )

    def _tell(self, key: Key, old: T | None, new: T | None) -> None:
        for handler in self._handlers:
            try:
                handler(key, old, new)
            except Exception:
                logger.exception("a handler of %s %s failed", self._what, key)
