"""The link that a node stands in: its neighbours are nodes too.

Kubelets, the API server and other hosts' agents trust whoever asks from there.
The kernel's routes say how far the link reaches; they are read at each use,
since a node may be given another network while the agent runs.
"""

import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

IpAddress = IPv4Address | IPv6Address
_UP, _GATEWAY, _REJECT = 0x0001, 0x0002, 0x0200


class NodeLink:
    """Tells whether an address is on the same link as the node's own."""

    def __init__(
        self, node_ip: IpAddress | None, *, proc: Path = Path("/proc/net")
    ) -> None:
        self._node = node_ip
        self._proc = proc

    def has(self, address: IpAddress) -> bool:
        """Tell whether the node reaches ``address`` without a gateway."""
        node = self._node
        if node is None or node.version != address.version:
            return False
        if address == node:
            return True
        routes = self._routes_v4() if node.version == 4 else self._routes_v6()
        # A link without an end (a default route to a tunnel) says nothing.
        links = (route for route in routes if route.prefixlen > 0)
        return any(node in link and address in link for link in links)

    def _routes_v4(self) -> Iterator[IPv4Network]:
        # Iface Destination Gateway Flags RefCnt Use Metric Mask ...
        for fields in self._read("route"):
            if _is_link(int(fields[3], 16)):
                target, mask = (_build_v4(fields[at]) for at in (1, 7))
                yield IPv4Network((int(target), int(mask).bit_count()))

    def _routes_v6(self) -> Iterator[IPv6Network]:
        # Target Length Source Length NextHop Metric RefCnt Use Flags Iface
        for fields in self._read("ipv6_route"):
            if _is_link(int(fields[8], 16)):
                target = IPv6Address(bytes.fromhex(fields[0]))
                yield IPv6Network((int(target), int(fields[1], 16)))

    def _read(self, name: str) -> Iterator[list[str]]:
        path = self._proc / name
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines:
            if not line.startswith("Iface"):
                yield line.split()


def _is_link(flags: int) -> bool:
    return bool(flags & _UP) and not flags & (_GATEWAY | _REJECT)


def _build_v4(text: str) -> IPv4Address:
    """Read an address as the kernel prints it: in the machine's byte order."""
    return IPv4Address(int(text, 16).to_bytes(4, sys.byteorder))
