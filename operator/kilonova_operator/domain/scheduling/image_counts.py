"""Which image properties the guests of each host have, and how many of them."""

from collections.abc import Mapping

Pair = tuple[str, str]


class ImageCounts:
    """Guests by image property and value, of each host.

    Kept by property, because a request asks for a few properties of every host.
    """

    def __init__(self) -> None:
        self._hosts: dict[Pair, dict[str, int]] = {}
        self._pairs: dict[str, frozenset[Pair]] = {}

    def set_host(self, host: str, counts: Mapping[Pair, int]) -> None:
        """Replace what is known of a host's guests."""
        for pair in self._pairs.pop(host, frozenset()):
            of_pair = self._hosts[pair]
            del of_pair[host]
            if not of_pair:
                del self._hosts[pair]
        kept = {pair: count for pair, count in counts.items() if count > 0}
        for pair, count in kept.items():
            self._hosts.setdefault(pair, {})[host] = count
        if kept:
            self._pairs[host] = frozenset(kept)

    def forget(self, host: str) -> None:
        """Forget a host; may run twice."""
        self.set_host(host, {})

    def list_hosts(self, pair: Pair) -> Mapping[str, int]:
        """Return how many guests have the property's value, of hosts with some."""
        return self._hosts.get(pair, {})
