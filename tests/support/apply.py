"""Server-side apply over plain objects: who owns which field."""

import copy
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

KEYED_LISTS = {
    "conditions": "type",
    "nics": "name",
    "networks": "name",
    "sshKeys": "name",
    "ownerReferences": "uid",
}
"""Lists that are maps, and their keys; every other list is one value."""
_SYSTEM = ("name", "namespace", "uid")
Path = tuple[Any, ...]


class FieldOwners:
    """The fields of one object by manager; every apply is forced."""

    def __init__(self) -> None:
        self._owned: dict[str, set[Path]] = {}

    def set(self, manager: str, body: Mapping[str, Any]) -> None:
        """Note what a creation set."""
        self._owned[manager] = set(_flatten(_fields(body)))

    def apply(
        self, manager: str, obj: Mapping[str, Any], body: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the object with ``body`` applied."""
        wanted = _flatten(_fields(body))
        flat = _flatten(obj)
        for path in self._owned.get(manager, set()) - set(wanted):
            if not any(path in p for m, p in self._owned.items() if m != manager):
                flat.pop(path, None)
        for path in wanted:
            _make_room(flat, path)
        flat.update(wanted)
        for other, paths in self._owned.items():
            if other != manager:
                # Another value takes the field over; the same one shares it.
                paths -= {p for p in wanted if _value(obj, p) != wanted[p]}
        self._owned[manager] = set(wanted)
        return _unflatten(flat)


def _fields(body: Mapping[str, Any]) -> dict[str, Any]:
    fields = {k: v for k, v in body.items() if k not in ("apiVersion", "kind")}
    metadata = fields.get("metadata", {})
    fields["metadata"] = {k: v for k, v in metadata.items() if k not in _SYSTEM}
    if not fields["metadata"]:
        del fields["metadata"]
    return fields


def _flatten(obj: Mapping[str, Any]) -> dict[Path, Any]:
    return dict(_leaves(obj, ()))


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and value and path and path[-1] in KEYED_LISTS:
        name = KEYED_LISTS[path[-1]]
        for item in value:
            yield from _leaves(item, (*path, (name, item[name])))
    else:
        yield path, copy.deepcopy(value)


def _make_room(flat: dict[Path, Any], path: Path) -> None:
    """Take out an empty container that a deeper field now fills, and deeper ones."""
    for length in range(1, len(path)):
        flat.pop(path[:length], None)
    for deeper in [p for p in flat if p[: len(path)] == path and p != path]:
        del flat[deeper]


def _value(obj: Mapping[str, Any], path: Path) -> Any:
    return _flatten(obj).get(path)


def _unflatten(flat: Mapping[Path, Any]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path, value in flat.items():
        target: Any = root
        for part, following in itertools.pairwise(path):
            empty: Any = [] if isinstance(following, tuple) else {}
            target = _step(target, part, empty)
        target[path[-1]] = copy.deepcopy(value)
    return root


def _step(target: Any, part: Any, empty: Any) -> Any:
    if not isinstance(part, tuple):
        return target.setdefault(part, empty)
    name, value = part
    for item in target:
        if item.get(name) == value:
            return item
    target.append({name: value})
    return target[-1]
