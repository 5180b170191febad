"""Which hosts an aggregate has, and what rules read of it."""

from collections.abc import Mapping

from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_aggregate import HostAggregate
from kilonova_operator.domain.hosts.nodes import NodeSummary
from kilonova_operator.domain.scheduling.aggregates import (
    AVAILABILITY_ZONE,
    AggregateFacts,
)


def build_host_labels(host: ComputeHost, node: NodeSummary | None) -> Mapping[str, str]:
    """Return what a selector sees.

    It is the host's own labels, which go first, and those of its Node that no
    kubelet can set on itself.
    """
    return {**(node.restricted_labels if node else {}), **host.metadata.labels}


def belongs(aggregate: HostAggregate, host: str, labels: Mapping[str, str]) -> bool:
    """Tell whether a host belongs to an aggregate."""
    spec = aggregate.spec
    if host in spec.hosts:
        return True
    return spec.host_selector is not None and spec.host_selector.matches(labels)


def build_aggregate_facts(aggregate: HostAggregate) -> AggregateFacts:
    """Return what rules read; the zone stands in the metadata, as in Nova."""
    metadata = dict(aggregate.spec.metadata)
    if aggregate.spec.availability_zone is not None:
        metadata[AVAILABILITY_ZONE] = aggregate.spec.availability_zone
    return AggregateFacts(aggregate.metadata.name, tuple(sorted(metadata.items())))
