"""The lab's network: scripts that build it. Nothing here has effects.

    machine ── veth ── lab0 (router, API server) ── veth ── eth0 of every node
                       lan0 (guests' LAN)        ── veth ── br-lan of hypervisors

All but the machine's end of the first veth lives in the lab's own network
namespace, which has no default route. What its bridges bring in is looked up in
a table that ends with "unreachable", so a packet that nobody takes dies here.
"""

from __future__ import annotations

from collections.abc import Iterable

from kilonova_lab.addresses import GUEST_LAN, AddressPlan

BRIDGE = "lab0"
LAN_BRIDGE = "lan0"
NODE_LAN_BRIDGE = "br-lan"

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
            f"ip link add {BRIDGE} type bridge",
            f"ip address add {plan.gateway}/24 dev {BRIDGE}",
            f"ip link set {BRIDGE} up",
            f"ip link set machine master {BRIDGE} up",
            f"ip link add {LAN_BRIDGE} type bridge",
            f"ip address add {GUEST_LAN[1]}/{GUEST_LAN.prefixlen} dev {LAN_BRIDGE}",
            f"ip link set {LAN_BRIDGE} up",
            "echo 1 > /proc/sys/net/ipv4/ip_forward",
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


def build_link_script(name: str, pid: int, *, with_lan: bool) -> str:
    """Return what plugs a node, whose namespace is that of ``pid``, in.

    Run in the lab. A device of the node's former life may still be going away.
    """
    lines = ["set -eu", *_build_plug(name, "eth0", BRIDGE, pid)]
    if with_lan:
        lines += _build_plug(f"{name}-lan", "eth1", LAN_BRIDGE, pid)
    return "\n".join(lines)


def _build_plug(device: str, peer: str, bridge: str, pid: int) -> Iterable[str]:
    return (
        f"ip link del {device} 2>/dev/null || true",
        f"ip link add {device} type veth peer name {peer} netns {pid}",
        f"ip link set {device} master {bridge} up",
    )


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
        "echo 1 > /proc/sys/net/ipv4/ip_forward",
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
