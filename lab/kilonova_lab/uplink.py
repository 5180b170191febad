"""The lab's one link to the machine: a range, a route and a pair of devices.

Everything here runs as root on the machine itself, and all of it either goes
with the lab's namespace or can be told by its name or protocol number.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import subprocess
import time
from ipaddress import IPv4Network
from pathlib import Path

from kilonova_lab.addresses import SLOTS, build_machine_address, build_node_range
from kilonova_lab.errors import CommandFailed, LabError, NotReady

ROUTE_PROTOCOL = "177"
"""Marks the lab's routes on the machine; no routing daemon has this number."""
UNREACHABLE_METRIC = "4278198272"
"""The last choice: any other route to the same range comes first."""

_LINK_SETTINGS = {
    # What the lab sends is for the machine itself, and is passed on nowhere...
    "ipv4/conf/{link}/forwarding": "0",
    # ...and has an address of the lab's nodes, so that answers go back there.
    "ipv4/conf/{link}/rp_filter": "1",
    # The machine would announce itself on the lab's bridge.
    "ipv6/conf/{link}/disable_ipv6": "1",
}

_SLOT_FILE = "slot"
_HUGE_PREFIX = 8
_LINK_REMOVAL_SECONDS = 20.0


def get_link_name(lab_id: str) -> str:
    """Return the machine's end of a lab's link."""
    return f"kn-{lab_id}"


def take_slot(folder: Path) -> int:
    """Claim the first range that no route of this machine touches.

    The unreachable route is the claim; all labs take theirs under one lock.

    Args:
        folder: the lab's, which remembers the slot; its parent is all labs'.
    """
    with (folder.parent / ".slots.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        taken = _list_routed_ranges()
        for slot in range(SLOTS):
            if not any(build_node_range(slot).overlaps(other) for other in taken):
                (folder / _SLOT_FILE).write_text(str(slot))
                _ip("route", "add", *_build_unreachable(slot))
                return slot
    raise LabError(
        f"no free range among {build_node_range(0)} to {build_node_range(SLOTS - 1)}: "
        "`ip route` shows a route in each. Stop a lab, or remove left unreachable "
        f"routes (`ip route flush proto {ROUTE_PROTOCOL}` when no lab runs)."
    )


def release_slot(folder: Path) -> None:
    """Give the range of a dead lab back; one that never had any is fine."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        slot = int((folder / _SLOT_FILE).read_text())
        with contextlib.suppress(CommandFailed):
            _ip("route", "del", *_build_unreachable(slot))


def make_link(lab_id: str, slot: int, pid: int) -> None:
    """Connect the machine with the network namespace of process ``pid``."""
    link = get_link_name(lab_id)
    peer = ("type", "veth", "peer", "name", "machine", "netns", str(pid))
    _ip("link", "add", link, *peer)
    for setting, value in _LINK_SETTINGS.items():
        Path("/proc/sys/net", setting.format(link=link)).write_text(value)
    _ip("address", "add", f"{build_machine_address(slot)}/24", "dev", link)
    _ip("link", "set", link, "up")


def remove_link(lab_id: str) -> None:
    """Remove the machine's end, which the kernel may be about to do itself."""
    link = get_link_name(lab_id)
    deadline = time.monotonic() + _LINK_REMOVAL_SECONDS
    while Path("/sys/class/net", link).exists():
        with contextlib.suppress(CommandFailed):
            _ip("link", "del", link)
        if time.monotonic() > deadline:
            raise NotReady(f"removal of device {link}", seconds=_LINK_REMOVAL_SECONDS)
        time.sleep(0.02)


def _list_routed_ranges() -> list[IPv4Network]:
    routes = json.loads(_ip("-json", "-4", "route", "show", "table", "all"))
    ranges = [
        IPv4Network(route["dst"], strict=False)
        for route in routes
        if route["dst"] != "default"
    ]
    # A route to a huge range (a VPN's 10.0.0.0/8) is none to these addresses.
    return [network for network in ranges if network.prefixlen > _HUGE_PREFIX]


def _build_unreachable(slot: int) -> tuple[str, ...]:
    network = str(build_node_range(slot))
    mark = ("metric", UNREACHABLE_METRIC, "proto", ROUTE_PROTOCOL)
    return ("unreachable", network, *mark)


def _ip(*arguments: str) -> str:
    done = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode != 0:
        raise CommandFailed(["ip", *arguments], done.returncode, done.stderr)
    return done.stdout
