"""Ranges of networks and the addresses in them; IPv4 as numbers underneath."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

NetworkType = Literal["NAT", "Bridge"]


@dataclass(frozen=True, slots=True)
class AddressPool:
    """Addresses to take from, both ends included."""

    first: IPv4Address
    last: IPv4Address


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """A network that needs a range.

    Without ``cidr`` one of ``pool_prefix_length`` is taken from ``pool``.
    ``forbidden``: ranges of nodes, Pods and Services; a bridge of the hosts is
    the admin's word and may lie in them.
    """

    network_id: str
    type: NetworkType
    name: str
    """Kind, namespace and name for messages, as ``Network shop/private``."""
    cidr: IPv4Network | None = None
    put_back: bool = False
    """``cidr`` was given before: it is asked for while frozen too."""
    pool: IPv4Network | None = None
    pool_prefix_length: int = 24
    forbidden: tuple[IPv4Network, ...] = ()
    bridge: str | None = None
    gateway: IPv4Address | None = None
    allocation_pools: tuple[AddressPool, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkRange:
    """The range a network holds, and the addresses it gives by itself."""

    network_id: str
    cidr: IPv4Network
    gateway: IPv4Address | None
    pools: tuple[AddressPool, ...]

    @property
    def addresses_total(self) -> int:
        """How many addresses are given without being asked for by value."""
        return sum(int(pool.last) - int(pool.first) + 1 for pool in self.pools)


@dataclass(frozen=True, slots=True)
class NetworkHolder:
    """Who holds a range: by the name that its request bore."""

    network_id: str
    name: str


@dataclass(frozen=True, slots=True)
class AddressCount:
    """Addresses in use, and addresses in all."""

    used: int
    total: int

    def __str__(self) -> str:
        return f"{self.used}/{self.total}"


def build_range(request: NetworkRequest, cidr: IPv4Network) -> NetworkRange:
    """Lay out ``cidr``: the network's gateway and the addresses it gives.

    NAT: the first address is the host's own end (the gateway), the second is
    kept for the host's services. Bridge: what the admin says.
    """
    first, last = IPv4Address(int(cidr[0]) + 1), IPv4Address(int(cidr[-1]) - 1)
    if request.type == "NAT":
        pool = AddressPool(IPv4Address(int(first) + 2), last)
        return NetworkRange(request.network_id, cidr, first, (pool,))
    pools = request.allocation_pools or (AddressPool(first, last),)
    without = pools if request.gateway is None else cut_out(pools, request.gateway)
    return NetworkRange(request.network_id, cidr, request.gateway, without)


def cut_out(
    pools: Iterable[AddressPool], address: IPv4Address
) -> tuple[AddressPool, ...]:
    """Return the pools without ``address``; a pool around it becomes two."""
    kept: list[AddressPool] = []
    for pool in pools:
        if not pool.first <= address <= pool.last:
            kept.append(pool)
            continue
        if pool.first < address:
            kept.append(AddressPool(pool.first, address - 1))
        if address < pool.last:
            kept.append(AddressPool(address + 1, pool.last))
    return tuple(kept)


def is_givable(range_: NetworkRange, address: IPv4Address) -> bool:
    """Tell whether a guest may ask for ``address``: pools do not bound it.

    Never the network's own first and last address, nor its gateway, nor what
    NAT keeps for the host.
    """
    outside = address not in range_.cidr
    if outside or address in (range_.cidr[0], range_.cidr[-1], range_.gateway):
        return False
    return address != _kept_for_host(range_)


def _kept_for_host(range_: NetworkRange) -> IPv4Address | None:
    """Return the second address where the gateway is the first (NAT's layout)."""
    if range_.gateway is None or range_.gateway != range_.cidr[1]:
        return None
    second = range_.cidr[2]
    in_pools = any(pool.first <= second <= pool.last for pool in range_.pools)
    return None if in_pools else second


def find_free_range(
    pool: IPv4Network, prefix_length: int, taken: Iterable[IPv4Network]
) -> IPv4Network | None:
    """Return the lowest range of that length in ``pool`` that overlaps nothing."""
    size = 1 << (32 - prefix_length)
    candidate = int(pool[0])
    for other in sorted(taken, key=lambda network: int(network[0])):
        if int(other[-1]) < candidate:
            continue
        if int(other[0]) >= candidate + size:
            break
        # Step over it, up to the next address where such a range may begin.
        candidate = (int(other[-1]) // size + 1) * size
    if candidate + size - 1 > int(pool[-1]):
        return None
    return IPv4Network((candidate, prefix_length))
