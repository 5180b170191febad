"""What a network asks of the API database, and what it may not ask."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from kilonova_api.network import ClusterNetwork, Network
from kilonova_operator.domain.addressing import AddressPool, NetworkRequest
from kilonova_operator.domain.errors import KilonovaError


@dataclass(frozen=True, slots=True)
class RangePolicy:
    """Where tenants' ranges come from, and where they must not lie."""

    pool: IPv4Network
    pool_prefix: int
    forbidden: tuple[IPv4Network, ...]


class RangeForbidden(KilonovaError):
    """The range would cut a host off from nodes, Pods or Services."""

    def __init__(self, network: str, cidr: IPv4Network, taken: IPv4Network) -> None:
        super().__init__(
            f"range {cidr} of {network} overlaps {taken}, which belongs to nodes, "
            "Pods, Services or everybody. Make a network with another cidr, or "
            "without one to get a range from the pool."
        )


class RangeInvalid(KilonovaError):
    """The range and what is said of it do not fit together."""

    def __init__(self, network: str, what: str) -> None:
        super().__init__(f"{network}: {what}")


# Ranges that no guest can use, whatever a site allows (RFC 6890).
NOBODYS = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)


def network_id_of(network: Network | ClusterNetwork) -> str:
    """Return the id by which hosts and the API database know a network.

    An object that was made again under its name has another uid; the guests of
    the first one are still plugged into what bears the old id.
    """
    return network.status.network_id or network.metadata.uid


def network_name(network: Network | ClusterNetwork) -> str:
    """Return kind, namespace and name, as rows and messages have them."""
    return f"{type(network).__name__} {network.key}"


def build_network_request(network: Network, policy: RangePolicy) -> NetworkRequest:
    """Return the request of a tenant's network.

    A range that was taken from the pool is asked for by name from then on: its
    guests run with it, whatever becomes of the row.

    Raises:
        RangeForbidden, RangeInvalid
    """
    name = network_name(network)
    known = network.spec.cidr or network.status.cidr
    cidr = None if known is None else _parse(name, known)
    if cidr is not None:
        _check_allowed(name, cidr, (*NOBODYS, *policy.forbidden))
    return NetworkRequest(
        network_id=network_id_of(network),
        type="NAT",
        name=name,
        cidr=cidr,
        put_back=network.status.cidr is not None,
        pool=policy.pool,
        pool_prefix_length=policy.pool_prefix,
        forbidden=policy.forbidden,
    )


def build_cluster_network_request(network: ClusterNetwork) -> NetworkRequest:
    """Return the request of a network of the hosts: the admin's word.

    Raises:
        RangeForbidden: nobody can use that range.
        RangeInvalid: gateway or pools lie outside.
    """
    name, spec = network_name(network), network.spec
    cidr = _parse(name, spec.cidr)
    _check_allowed(name, cidr, NOBODYS)
    gateway = None if spec.gateway is None else IPv4Address(spec.gateway)
    if gateway is not None and gateway not in cidr:
        raise RangeInvalid(name, f"gateway {gateway} is not in {cidr}")
    pools = tuple(
        AddressPool(IPv4Address(pool.start), IPv4Address(pool.end))
        for pool in spec.allocation_pools
    )
    for pool in pools:
        within = pool.first in cidr and pool.last in cidr
        if not within or pool.first > pool.last:
            raise RangeInvalid(
                name, f"allocation pool {pool.first}-{pool.last} is not within {cidr}"
            )
    return NetworkRequest(
        network_id=network_id_of(network),
        type="Bridge",
        name=name,
        cidr=cidr,
        put_back=network.status.cidr is not None,
        bridge=spec.bridge,
        gateway=gateway,
        allocation_pools=pools,
    )


def _parse(name: str, cidr: str) -> IPv4Network:
    try:
        return IPv4Network(cidr)
    except ValueError:
        proper = IPv4Network(cidr, strict=False)
        raise RangeInvalid(
            name, f"{cidr} has host bits set; {proper} is probably meant"
        ) from None


def _check_allowed(
    name: str, cidr: IPv4Network, forbidden: Iterable[IPv4Network]
) -> None:
    for taken in forbidden:
        if taken.overlaps(cidr):
            raise RangeForbidden(name, cidr, taken)
