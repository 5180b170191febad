"""The lab's network: scripts that build it. Nothing here has effects.

    machine ── veth ── lab0 (router, API server) ── veth ── eth0 of every node
                       lan0 (guests' LAN)        ── veth ── br-lan of hypervisors

All but the machine's end of the first veth lives in the lab's own network
namespace, which has no default route. What its bridges bring in is looked up in
a table that ends with "unreachable", so a packet that nobody takes dies here.
"""

from __future__ import annotations

from kilonova_lab.addresses import GUEST_LAN, AddressPlan

BRIDGE = "lab0"
LAN_BRIDGE = "lan0"
NODE_LAN_BRIDGE = "br-lan"

# Fixed, as hardware has it: a bridge would take another port's address whenever
# one comes or goes, and for seconds everybody would talk to the one of before.
_ROUTER_MAC = "02:4b:4e:00:00:01"
_NODE_MAC_PREFIX = "02:4b:4e:00:01"
_LAN_MAC_PREFIX = "02:4b:4e:00:02"

_SYSCTLS = (
    "echo 1 > /proc/sys/net/ipv4/ip_forward",
    # A closed TCP connection with data that nobody acknowledges any more keeps
    # its namespace, and so all devices in it, for 100 s by default.
    "echo 1 > /proc/sys/net/ipv4/tcp_orphan_retries",
)
_ROUTER_SYSCTLS = (
    *_SYSCTLS,
    # Say "unreachable" to every packet, not to one a second.
    "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit",
)
_TABLE = 77
_LAST_METRIC = 4278198272


def build_router_script(plan: AddressPlan, node_count: int) -> str:
    """Return what turns the lab's empty namespace into its router."""
    inside = [f"{plan.node_range} dev {BRIDGE}", f"{GUEST_LAN} dev {LAN_BRIDGE}"]
    pods = [
        f"{plan.get_pod_range(i)} via {plan.get_node_address(i)}"
        for i in range(node_count)
    ]
    return "\n".join(
        [
            "set -eu",
            "ip link set lo up",
            *_ROUTER_SYSCTLS,
            f"ip link add {BRIDGE} address {_ROUTER_MAC} type bridge",
            f"ip address add {plan.gateway}/24 dev {BRIDGE}",
            f"ip link set {BRIDGE} up",
            f"ip link set machine master {BRIDGE} up",
            f"ip link add {LAN_BRIDGE} type bridge",
            f"ip address add {GUEST_LAN[1]}/{GUEST_LAN.prefixlen} dev {LAN_BRIDGE}",
            f"ip link set {LAN_BRIDGE} up",
            *(f"ip route add {route}" for route in pods),
            *(
                f"ip route add unreachable {network} metric {_LAST_METRIC}"
                for network in (plan.node_range, *plan.closed_ranges)
            ),
            *(f"ip route add {route} table {_TABLE}" for route in inside + pods),
            f"ip route add unreachable default table {_TABLE}",
            f"ip rule add iif {BRIDGE} lookup {_TABLE}",
            f"ip rule add iif {LAN_BRIDGE} lookup {_TABLE}",
        ]
    )


def build_link_script(name: str, index: int, *, pid: int, with_lan: bool) -> str:
    """Return what plugs a node, whose namespace is that of ``pid``, in.

    Run in the lab. A device of the node's former life may still be going away.
    """
    plugs = [(name, BRIDGE, f"eth0 address {_NODE_MAC_PREFIX}:{index:02x}")]
    if with_lan:
        lan = f"eth1 address {_LAN_MAC_PREFIX}:{index:02x}"
        plugs.append((f"{name}-lan", LAN_BRIDGE, lan))
    lines = ["set -eu"]
    for device, bridge, peer in plugs:
        lines += [
            f"ip link del {device} 2>/dev/null || true",
            f"ip link add {device} type veth peer name {peer} netns {pid}",
            f"ip link set {device} master {bridge} up",
        ]
    return "\n".join(lines)


def build_node_script(plan: AddressPlan, index: int, *, with_lan: bool) -> str:
    """Return what sets up a node's own side. Run in the node.

    Pods keep their address towards other pods, and take the node's towards
    everything else, for which no other node has a way back.
    """
    lines = [
        "set -eu",
        "ip link set lo up",
        f"ip address add {plan.get_node_address(index)}/24 dev eth0",
        "ip link set eth0 up",
        f"ip route add default via {plan.gateway}",
        *_SYSCTLS,
        (
            f"iptables -w -t nat -A POSTROUTING -s {plan.get_pod_range(index)} "
            f"! -d {plan.pod_range} -j MASQUERADE"
        ),
    ]
    if with_lan:
        lines += [
            f"ip link add {NODE_LAN_BRIDGE} type bridge",
            f"ip link set eth1 master {NODE_LAN_BRIDGE} up",
            f"ip link set {NODE_LAN_BRIDGE} up",
        ]
    return "\n".join(lines)
