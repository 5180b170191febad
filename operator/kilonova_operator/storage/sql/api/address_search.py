"""Where the search for a free address begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

from kilonova_operator.domain.addressing import AddressPool


@dataclass(slots=True)
class AddressHints:
    """The address after the last one given, per network.

    A released address is so the last to be given again: neighbours still have
    its old MAC. It is a hint only, lost with the process; the table's key decides.
    """

    _next: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def start(self, network_id: str) -> int:
        """Return where to begin."""
        return self._next.get(network_id, 0)

    def note_given(self, network_id: str, address: int) -> None:
        """Note that an address was chosen."""
        with self._lock:
            self._next[network_id] = max(self._next.get(network_id, 0), address + 1)


def search_order(pools: Sequence[AddressPool], start: int) -> Iterator[tuple[int, int]]:
    """Give the ranges to search: from ``start`` to the end, then the beginning."""
    ends = [(int(pool.first), int(pool.last)) for pool in pools]
    for first, last in ends:
        if start <= last:
            yield max(first, start), last
    for first, last in ends:
        if first < start:
            yield first, min(last, start - 1)
