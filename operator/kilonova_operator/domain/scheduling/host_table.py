"""Every host of one decision, as columns: what it failed, or its weights.

Packed it is a header and the columns, compressed together::

    magic, hosts, hosts that pass, weighers, bytes of ``found_full``
    the number of each weigher                        1 byte a weigher
    ``found_full`` in JSON
    the first constraint each host failed, 0: none    1 byte a host
    weights of the hosts that pass                    4 bytes a host and weigher

A weight is float32, what the weigher adds to the total: the normalised score times
its multiplier. The first bytes of all weights of a weigher come first, then the
second ones: alike bytes stand together, and compress to less than half.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import orjson

from kilonova_operator.domain.scheduling.columns import FloatArray
from kilonova_operator.domain.scheduling.roster import (
    MalformedHostRecord,
    Roster,
    unzip,
)

MOST_BYTES = 64 << 20
"""Of a table, unpacked."""

_HEADER = struct.Struct("<4sIIBI")
_MAGIC = b"KNH1"
_LEVEL = 1
"""Level 6 takes two and a half times as long and saves a twentieth."""
_FLOAT = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class HostVerdict:
    """One host in a decision, for admins: what it failed, or how it was weighed."""

    host: str
    failed: str | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    total: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class HostTable:
    """The hosts of a decision; rows and numbers are the roster's."""

    roster: Roster
    judgements: npt.NDArray[np.uint8]
    """Of each host the number of the constraint it failed first; 0: none."""
    weighers: tuple[int, ...]
    """Numbers of the weighers that told hosts apart; the others give 0."""
    weights: FloatArray
    """Shape (weighers, hosts that pass): what each adds to the total."""
    found_full: Mapping[int, str] = field(default_factory=dict)
    """By row: what hosts failed that were left out since their claim was refused."""

    def __len__(self) -> int:
        return len(self.judgements)

    def list_verdicts(self, most: int | None = None) -> list[HostVerdict]:
        """Say of hosts what each failed, or each weight and their sum.

        Those that pass come first, best before worse; ``most``: no more of them.
        """
        passing = np.flatnonzero(self.judgements == 0)
        totals = self.weights.sum(axis=0, dtype=np.float64)
        best_first = np.argsort(-totals, kind="stable")[:most]
        told = [
            self._tell(int(passing[at]), int(at), float(totals[at]))
            for at in best_first
        ]
        left = None if most is None else most - len(told)
        failing = np.flatnonzero(self.judgements != 0)[:left]
        return [*told, *(self._tell_failed(int(row)) for row in failing)]

    def pack(self) -> bytes:
        """Return it as the database keeps it."""
        full = orjson.dumps({str(row): name for row, name in self.found_full.items()})
        count = self.weights.shape[1]
        header = _HEADER.pack(_MAGIC, len(self), count, len(self.weighers), len(full))
        with np.errstate(over="ignore"):
            weights = np.nan_to_num(self.weights.astype(_FLOAT))
        planes = weights.view(np.uint8).reshape(len(self.weighers), count, 4)
        parts = (
            header,
            bytes(self.weighers),
            full,
            self.judgements.tobytes(),
            np.ascontiguousarray(planes.transpose(0, 2, 1)).tobytes(),
        )
        return zlib.compress(b"".join(parts), _LEVEL)

    @classmethod
    def unpack(cls, body: bytes, roster: Roster) -> "HostTable":
        """Read what ``pack`` wrote; ``roster`` is that of the table.

        Raises:
            MalformedHostRecord: it is something else, or another roster's.
        """
        return _read(unzip(body, MOST_BYTES), roster)

    def _tell(self, row: int, at: int, total: float) -> HostVerdict:
        told = dict.fromkeys(self.roster.weighers, 0.0)
        for number, column in zip(self.weighers, self.weights, strict=True):
            told[self.roster.weighers[number]] = float(column[at])
        return HostVerdict(self.roster.hosts[row], weights=told, total=total)

    def _tell_failed(self, row: int) -> HostVerdict:
        number = int(self.judgements[row])
        failed = self.found_full.get(row) or self.roster.constraints[number - 1]
        return HostVerdict(self.roster.hosts[row], failed=failed)


def _read(plain: bytes, roster: Roster) -> HostTable:
    if len(plain) < _HEADER.size or not plain.startswith(_MAGIC):
        raise MalformedHostRecord("it does not begin as one")
    _, hosts, passing, weighers, full = _HEADER.unpack_from(plain)
    if hosts != len(roster.hosts):
        raise MalformedHostRecord(f"it has {hosts} hosts, not {len(roster.hosts)}")
    sizes = (weighers, full, hosts, 4 * passing * weighers)
    if len(plain) != _HEADER.size + sum(sizes):
        raise MalformedHostRecord(f"it has {len(plain)} bytes, not what it announces")
    numbers, names, judged, planes = _cut(plain, _HEADER.size, sizes)
    judgements = np.frombuffer(judged, np.uint8)
    if hosts and judgements.max() > len(roster.constraints):
        raise MalformedHostRecord("a host failed a constraint that has no name")
    if np.count_nonzero(judgements == 0) != passing:
        raise MalformedHostRecord(f"not {passing} of its hosts pass")
    return HostTable(
        roster,
        judgements,
        _read_numbers(numbers, roster),
        _read_weights(planes, weighers, passing),
        found_full=_read_full(names, judgements),
    )


def _cut(plain: bytes, start: int, sizes: tuple[int, ...]) -> Iterator[bytes]:
    for size in sizes:
        yield plain[start : start + size]
        start += size


def _read_numbers(numbers: bytes, roster: Roster) -> tuple[int, ...]:
    if sorted(set(numbers)) != list(numbers):
        raise MalformedHostRecord("its weighers are not in order")
    if numbers and numbers[-1] >= len(roster.weighers):
        raise MalformedHostRecord("a weigher has no name")
    return tuple(numbers)


def _read_weights(planes: bytes, weighers: int, passing: int) -> FloatArray:
    apart = np.frombuffer(planes, np.uint8).reshape(weighers, 4, passing)
    together = np.ascontiguousarray(apart.transpose(0, 2, 1)).view(_FLOAT)
    weights = together.reshape(weighers, passing).astype(np.float64)
    if not np.isfinite(weights).all():
        raise MalformedHostRecord("a weight is no number")
    return weights


def _read_full(names: bytes, judgements: npt.NDArray[np.uint8]) -> dict[int, str]:
    try:
        read = orjson.loads(names)
        found = {int(row): name for row, name in read.items()}
    except (ValueError, AttributeError):
        raise MalformedHostRecord("its refused hosts cannot be read") from None
    for row, name in found.items():
        known = 0 <= row < len(judgements) and judgements[row] != 0
        if not known or not isinstance(name, str):
            raise MalformedHostRecord("a refused host is none of those that failed")
    return found
