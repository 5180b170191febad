"""What is kept of a Node and of a Pod: the few numbers that hosts depend on."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from kilonova_api.names import (
    CELL_LABEL,
    HYPERVISOR_LABEL,
    RESTRICTED_LABEL_PREFIX,
    ZONE_LABEL,
)
from kilonova_operator.domain.hosts.quantities import parse_quantity

_MIB = Decimal(2**20)
_ALWAYS = "Always"
_PAGES = "hugepages-"
"""Resource names of huge pages begin so; the size follows."""


@dataclass(frozen=True, slots=True)
class NodeSummary:
    """A Node: identity, labels we read, and what the kubelet keeps for itself."""

    name: str
    uid: str
    hypervisor: bool
    cell: str | None
    zone: str | None
    cordoned: bool
    kept_cpu_millis: int
    """Capacity minus allocatable: what the kubelet gives to nobody."""
    kept_memory_mib: int
    ranges: tuple[IPv4Network, ...] = ()
    """Its own addresses and those of its Pods."""
    restricted_labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that no kubelet can set on its own Node."""
    address: str = ""
    """Its first IPv4 address within the cluster."""


@dataclass(frozen=True, slots=True)
class PodSummary:
    """A Pod that has not ended: where it runs and what it requests."""

    node: str
    cpu_millis: int
    memory_mib: int
    """Huge pages among it, as Nova counts memory."""
    pages: tuple[tuple[str, int], ...] = ()
    """Huge pages by size."""


def build_node_summary(obj: Mapping[str, Any]) -> NodeSummary:
    """Return the summary of a Node as the API server gives it."""
    metadata, status = obj["metadata"], obj.get("status", {})
    labels = metadata.get("labels", {})
    capacity, allocatable = status.get("capacity", {}), status.get("allocatable", {})
    return NodeSummary(
        name=metadata["name"],
        uid=metadata["uid"],
        hypervisor=labels.get(HYPERVISOR_LABEL) == "true",
        cell=labels.get(CELL_LABEL),
        zone=labels.get(ZONE_LABEL),
        cordoned=bool(obj.get("spec", {}).get("unschedulable", False)),
        kept_cpu_millis=_millis(_kept("cpu", capacity, allocatable)),
        kept_memory_mib=_mib(_kept_memory(capacity, allocatable)),
        ranges=tuple(_list_ranges(obj.get("spec", {}), status)),
        restricted_labels={
            key: value
            for key, value in labels.items()
            if key.startswith(RESTRICTED_LABEL_PREFIX)
        },
        address=next(_list_addresses(status), ""),
    )


def build_pod_summary(obj: Mapping[str, Any]) -> PodSummary:
    """Return the summary of a Pod as the API server gives it."""
    spec = obj["spec"]
    pages = {size: _pod_request(spec, _PAGES + size) for size in _list_sizes(spec)}
    return PodSummary(
        node=spec.get("nodeName", ""),
        cpu_millis=_millis(_pod_request(spec, "cpu")),
        memory_mib=_mib(_pod_request(spec, "memory") + sum(pages.values())),
        pages=tuple(
            (size, int(amount / parse_quantity(size))) for size, amount in pages.items()
        ),
    )


def _list_sizes(spec: Mapping[str, Any]) -> list[str]:
    """List the sizes of huge pages that a Pod requests."""
    asking = (spec, *spec.get("containers", ()), *spec.get("initContainers", ()))
    names = {name for one in asking for name in _requested(one)}
    return sorted(n.removeprefix(_PAGES) for n in names if n.startswith(_PAGES))


def _list_ranges(
    spec: Mapping[str, Any], status: Mapping[str, Any]
) -> Iterator[IPv4Network]:
    pods = spec.get("podCIDRs") or filter(None, (spec.get("podCIDR"),))
    for text in (*_list_addresses(status), *pods):
        with suppress(ValueError):  # IPv6
            yield IPv4Network(text, strict=False)


def _list_addresses(status: Mapping[str, Any]) -> Iterator[str]:
    for address in status.get("addresses", ()):
        if address["type"] == "InternalIP":
            with suppress(ValueError):  # IPv6
                yield str(IPv4Address(address["address"]))


def _kept(
    resource: str, capacity: Mapping[str, str], allocatable: Mapping[str, str]
) -> Decimal:
    if resource not in capacity or resource not in allocatable:
        return Decimal(0)
    kept = parse_quantity(capacity[resource]) - parse_quantity(allocatable[resource])
    return max(kept, Decimal(0))


def _kept_memory(
    capacity: Mapping[str, str], allocatable: Mapping[str, str]
) -> Decimal:
    """Return what guests cannot have.

    A kubelet takes all huge pages out of what it says Pods may have of the memory,
    whether Pods request them or not; guests may have them.
    """
    pages = [name for name in capacity if name.startswith(_PAGES)]
    free = sum(
        (parse_quantity(allocatable.get(name, capacity[name])) for name in pages),
        Decimal(0),
    )
    return max(_kept("memory", capacity, allocatable) - free, Decimal(0))


def _pod_request(spec: Mapping[str, Any], resource: str) -> Decimal:
    """Return what the kube-scheduler counts for a Pod.

    The larger of all its containers together and of its hungriest init
    container, sidecars counted with both, and the runtime's overhead.
    """
    overhead = _amount(spec.get("overhead", {}), resource)
    own = _requested(spec)
    if resource in own:
        return _amount(own, resource) + overhead
    running = sum(_requests(spec.get("containers", ()), resource), Decimal(0))
    most_at_start = sidecars = Decimal(0)
    for container in spec.get("initContainers", ()):
        (amount,) = _requests((container,), resource)
        if container.get("restartPolicy") == _ALWAYS:
            sidecars += amount
            most_at_start = max(most_at_start, sidecars)
        else:
            most_at_start = max(most_at_start, sidecars + amount)
    return max(running + sidecars, most_at_start) + overhead


def _requests(containers: Iterable[Mapping[str, Any]], resource: str) -> list[Decimal]:
    return [_amount(_requested(container), resource) for container in containers]


def _requested(asking: Mapping[str, Any]) -> Mapping[str, str]:
    requests: Mapping[str, str] = asking.get("resources", {}).get("requests", {})
    return requests


def _amount(amounts: Mapping[str, str], resource: str) -> Decimal:
    return parse_quantity(amounts.get(resource, "0"))


def _millis(cpus: Decimal) -> int:
    return int((cpus * 1000).to_integral_value(ROUND_CEILING))


def _mib(size_bytes: Decimal) -> int:
    return int((size_bytes / _MIB).to_integral_value(ROUND_CEILING))
