"""Which aggregates a host is in, kept current by the informers.

Those that name hosts are found by the host's name, so that ten thousand hosts are
not asked one by one; those with a selector are few, and are asked.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.hosts.aggregates import (
    belongs,
    build_aggregate_facts,
    build_host_labels,
)
from kilonova_operator.domain.hosts.nodes import NodeSummary
from kilonova_operator.domain.scheduling.aggregates import (
    AggregateFacts,
    AggregateSet,
    build_aggregate_set,
)
from kilonova_operator.domain.scheduling.facts import HostFacts, build_host_facts

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
ChangeHandler = Callable[[Key, T | None, T | None], None]


class Watched(Protocol[T_co]):
    """What is needed of an informer."""

    def find(self, key: Key) -> T_co | None:
        """Give the value, None when absent."""
        ...

    def items(self) -> Mapping[Key, T_co]:
        """Give all values."""
        ...

    def on_change(self, handler: ChangeHandler[T_co]) -> None:
        """Call ``handler`` on every change."""
        ...


class AggregateIndex:
    """Aggregates of hosts, and hosts of aggregates."""

    def __init__(
        self,
        *,
        aggregates: Watched[HostAggregate],
        hosts: Watched[ComputeHost],
        nodes: Watched[NodeSummary],
    ) -> None:
        """Build it before anything else that follows these informers."""
        self._aggregates = aggregates
        self._hosts = hosts
        self._nodes = nodes
        self._naming: dict[str, set[str]] = {}
        self._selecting: set[str] = set()
        self._host_handlers: list[Callable[[str], None]] = []
        self._aggregate_handlers: list[Callable[[str], None]] = []
        self._shared_handlers: list[Callable[[], None]] = []
        for aggregate in aggregates.items().values():
            self._file(aggregate)
        aggregates.on_change(self._aggregate_changed)
        hosts.on_change(self._host_changed)
        nodes.on_change(self._node_changed)

    def on_host(self, handler: Callable[[str], None]) -> None:
        """Hear of hosts whose aggregates changed, or what stands in them."""
        self._host_handlers.append(handler)

    def on_aggregate(self, handler: Callable[[str], None]) -> None:
        """Hear of aggregates whose hosts or spec changed, or those of a neighbour."""
        self._aggregate_handlers.append(handler)

    def on_shared(self, handler: Callable[[], None]) -> None:
        """Hear that what aggregates share is another."""
        self._shared_handlers.append(handler)

    def shared_changed(self) -> None:
        """Tell that what aggregates share was written anew."""
        for handler in self._shared_handlers:
            handler()

    def of_host(self, host: str) -> tuple[HostAggregate, ...]:
        """Return the aggregates of a host, by name."""
        found = self._hosts.find(Key("", host))
        if found is None:
            return ()
        return self._list(self._find_names(found, self._node(host)))

    def set_of(self, host: str) -> AggregateSet:
        """Return a host's aggregates as rules read them."""
        return build_aggregate_set(map(build_aggregate_facts, self.of_host(host)))

    def all_facts(self) -> frozenset[AggregateFacts]:
        """Return every aggregate as rules read it, those without hosts included."""
        return frozenset(map(build_aggregate_facts, self._aggregates.items().values()))

    def hosts_of(self, aggregate: HostAggregate) -> tuple[str, ...]:
        """Return the hosts that exist and belong to it, by name."""
        if aggregate.spec.host_selector is None:
            named = (Key("", host) for host in aggregate.spec.hosts)
            return tuple(sorted(k.name for k in named if self._hosts.find(k)))
        return tuple(
            sorted(
                key.name
                for key, host in self._hosts.items().items()
                if belongs(aggregate, key.name, self._labels(host))
            )
        )

    def build_facts(self, host: ComputeHost) -> HostFacts:
        """Return everything that rules read of a host but its amounts."""
        name = host.metadata.name
        node = self._node(name)
        return build_host_facts(
            host,
            build_aggregate_set(
                map(build_aggregate_facts, self._list(self._find_names(host, node)))
            ),
            address=node.address if node else "",
        )

    def _find_names(self, host: ComputeHost, node: NodeSummary | None) -> set[str]:
        name = host.metadata.name
        names = set(self._naming.get(name, ()))
        labels = build_host_labels(host, node) if self._selecting else {}
        for selecting in self._selecting - names:
            if belongs(self._aggregates.items()[Key("", selecting)], name, labels):
                names.add(selecting)
        return names

    def _list(self, names: Iterable[str]) -> tuple[HostAggregate, ...]:
        known = self._aggregates.items()
        return tuple(known[Key("", name)] for name in sorted(names))

    def _node(self, host: str) -> NodeSummary | None:
        return self._nodes.find(Key("", host))

    def _labels(self, host: ComputeHost) -> Mapping[str, str]:
        return build_host_labels(host, self._node(host.metadata.name))

    def _file(self, aggregate: HostAggregate) -> None:
        name = aggregate.metadata.name
        for host in aggregate.spec.hosts:
            self._naming.setdefault(host, set()).add(name)
        if aggregate.spec.host_selector is not None:
            self._selecting.add(name)

    def _unfile(self, aggregate: HostAggregate) -> None:
        name = aggregate.metadata.name
        for host in aggregate.spec.hosts:
            self._naming[host].discard(name)
            if not self._naming[host]:
                del self._naming[host]
        self._selecting.discard(name)

    def _aggregate_changed(
        self, key: Key, old: HostAggregate | None, new: HostAggregate | None
    ) -> None:
        if old is not None and new is not None and old.spec == new.spec:
            return
        touched: set[str] = set()
        if old is not None:
            touched |= set(self.hosts_of(old))
            self._unfile(old)
        if new is not None:
            self._file(new)
            touched |= set(self.hosts_of(new))
        # Another aggregate may contradict it about the zone, or do so no more.
        beside = (a.metadata.name for host in touched for a in self.of_host(host))
        self._tell(hosts=sorted(touched), aggregates=sorted({key.name, *beside}))

    def _host_changed(
        self, key: Key, old: ComputeHost | None, new: ComputeHost | None
    ) -> None:
        if old and new and old.metadata.labels == new.metadata.labels:
            return
        node = self._node(key.name)
        before = self._find_names(old, node) if old else set()
        after = self._find_names(new, node) if new else set()
        self._note_moves(key.name, before, after)

    def _node_changed(
        self, key: Key, old: NodeSummary | None, new: NodeSummary | None
    ) -> None:
        if _facts_of(old) == _facts_of(new):
            return
        host = self._hosts.find(key)
        if host is None:
            return
        before, after = self._find_names(host, old), self._find_names(host, new)
        self._note_moves(key.name, before, after)
        if before == after:
            self._tell(hosts=(key.name,))

    def _note_moves(self, host: str, before: set[str], after: set[str]) -> None:
        if before != after:
            self._tell(hosts=(host,), aggregates=sorted(before | after))

    def _tell(self, *, hosts: Iterable[str], aggregates: Iterable[str] = ()) -> None:
        for host in hosts:
            for handler in self._host_handlers:
                handler(host)
        for aggregate in aggregates:
            for handler in self._aggregate_handlers:
                handler(aggregate)


def _facts_of(node: NodeSummary | None) -> tuple[Mapping[str, str], str]:
    return ({}, "") if node is None else (node.restricted_labels, node.address)
