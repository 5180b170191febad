"""Which addresses a lab uses. Pure arithmetic on its slot and cluster file.

Pod, Service and guest ranges exist only inside the lab's network namespace, so
all labs share them. The nodes' range is also on the machine's side of the
lab's one link, so each lab has its own: 10.77.<slot>.0/24.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from kilonova_lab.config import ClusterConfig

SLOTS = 200
GUEST_LAN = IPv4Network("10.88.0.0/16")
"""The lab's provider network: ``br-lan`` on every hypervisor host."""
GUEST_NAT_POOL = IPv4Network("10.89.0.0/16")
"""Where tenants' NAT networks take their ranges from (the chart's network.pool)."""
EXAMPLE_NETWORKS = IPv4Network("10.20.0.0/16")
"""Where the networks of ``examples/``, which name their own ranges, have them."""

_NODES_BASE = IPv4Network("10.77.0.0/16")
_FIRST_NODE, _MACHINE = 10, 254


@dataclass(frozen=True, slots=True)
class AddressPlan:
    """The addresses of one lab."""

    slot: int
    pod_range: IPv4Network
    service_range: IPv4Network

    @classmethod
    def build(cls, slot: int, config: ClusterConfig) -> AddressPlan:
        """Return the plan of the lab in this slot."""
        return cls(slot, config.pod_range, config.service_range)

    @property
    def node_range(self) -> IPv4Network:
        """Nodes, the API server and the machine's end of the link."""
        return build_node_range(self.slot)

    @property
    def gateway(self) -> IPv4Address:
        """The lab's router, which is also where the API server listens."""
        return self.node_range[1]

    @property
    def machine(self) -> IPv4Address:
        """The machine's end of the link."""
        return build_machine_address(self.slot)

    @property
    def api_service(self) -> IPv4Address:
        """The ``kubernetes`` Service."""
        return self.service_range[1]

    @property
    def dns_service(self) -> IPv4Address:
        """The cluster's DNS."""
        return self.service_range[10]

    @property
    def closed_ranges(self) -> tuple[IPv4Network, ...]:
        """Every range whose packets must end in the lab when nothing takes them."""
        guests = (GUEST_LAN, GUEST_NAT_POOL, EXAMPLE_NETWORKS)
        return (self.pod_range, self.service_range, *guests)

    @property
    def taken_ranges(self) -> tuple[IPv4Network, ...]:
        """Ranges of nodes, Pods and Services, which no guests' network may have."""
        return (self.node_range, self.pod_range, self.service_range)

    def get_node_address(self, index: int) -> IPv4Address:
        """Return the address of the node at this position in the file."""
        return self.node_range[_FIRST_NODE + index]

    def get_pod_range(self, index: int) -> IPv4Network:
        """Return the /24 of this node's pods."""
        base = int(self.pod_range.network_address)
        return IPv4Network((base + (index << 8), 24))


def build_node_range(slot: int) -> IPv4Network:
    """Return the nodes' range of a slot."""
    base = int(_NODES_BASE.network_address)
    return IPv4Network((base + (slot << 8), 24))


def build_machine_address(slot: int) -> IPv4Address:
    """Return the machine's address in a slot's range."""
    return build_node_range(slot)[_MACHINE]
