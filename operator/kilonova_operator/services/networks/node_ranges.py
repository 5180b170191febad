"""What the cluster's own Nodes use: no tenant's network may lie there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, collapse_addresses

from kilonova_operator.domain.hosts.nodes import NodeSummary


@dataclass(slots=True)
class NodeRanges:
    """The Nodes' addresses and Pod ranges, put together once for all networks."""

    nodes: Callable[[], Iterable[NodeSummary]]
    _seen: tuple[tuple[IPv4Network, ...], ...] = ()
    _ranges: tuple[IPv4Network, ...] = field(default=())

    def find(self) -> tuple[IPv4Network, ...]:
        """Return what the Nodes of now use, as few ranges as hold it."""
        seen = tuple(node.ranges for node in self.nodes())
        if seen != self._seen:
            every = (range_ for ranges in seen for range_ in ranges)
            self._seen, self._ranges = seen, tuple(collapse_addresses(every))
        return self._ranges
