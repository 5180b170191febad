"""The names behind the numbers of host tables: kept once for many decisions."""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from kilonova_operator.domain.errors import KilonovaError

MOST_BYTES = 64 << 20
"""Of names, unpacked: half a million hosts have not so many."""
_LEVEL = 6


class MalformedHostRecord(KilonovaError):
    """What the database keeps of a decision's hosts cannot be read."""


@dataclass(frozen=True, slots=True)
class Roster:
    """Hosts by row, constraints and weighers by number, as a decision found them."""

    hosts: tuple[str, ...]
    constraints: tuple[str, ...]
    """In their order: number 1 is the first, 0 is none of them."""
    weighers: tuple[str, ...]

    def pack(self) -> "PackedRoster":
        """Return it as the database keeps it; the same names give the same digest."""
        names = orjson.dumps([self.hosts, self.constraints, self.weighers])
        digest = hashlib.sha256(names).hexdigest()
        return PackedRoster(digest, zlib.compress(names, _LEVEL))

    @classmethod
    def unpack(cls, body: bytes) -> "Roster":
        """Read what ``pack`` wrote.

        Raises:
            MalformedHostRecord: it is something else.
        """
        try:
            parts = orjson.loads(unzip(body, MOST_BYTES))
        except orjson.JSONDecodeError:
            raise MalformedHostRecord("the names of its hosts are no JSON") from None
        if not isinstance(parts, list) or [type(part) for part in parts] != [list] * 3:
            raise MalformedHostRecord("the names of its hosts are not three lists")
        hosts, constraints, weighers = (_read_names(part) for part in parts)
        return cls(hosts, constraints, weighers)


@dataclass(frozen=True, slots=True)
class PackedRoster:
    """A roster in the database: ``digest`` is what host tables name it by."""

    digest: str
    body: bytes


def unzip(body: bytes, most_bytes: int) -> bytes:
    """Unpack zlib's format, but never more than ``most_bytes``.

    Raises:
        MalformedHostRecord: it is more, cut off, or something else.
    """
    unpacking = zlib.decompressobj()
    try:
        found = unpacking.decompress(body, most_bytes)
    except zlib.error:
        raise MalformedHostRecord("it is not compressed as it was written") from None
    if unpacking.unconsumed_tail:
        raise MalformedHostRecord(f"it has more than {most_bytes} bytes unpacked")
    if not unpacking.eof or unpacking.unused_data:
        raise MalformedHostRecord("it ends too early or too late")
    return found


def _read_names(part: Sequence[Any]) -> tuple[str, ...]:
    if not all(isinstance(name, str) for name in part):
        raise MalformedHostRecord("a name of its hosts is no text")
    return tuple(part)
