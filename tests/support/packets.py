"""Counting packets on one of the machine's own interfaces, without a trace."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

_ETH_P_ALL = 0x0003
_ETH_P_IP = 0x0800
_ETH_P_ARP = 0x0806


@dataclass
class PacketWitness:
    """Every IPv4 or ARP packet that carried a watched address."""

    ranges: Sequence[IPv4Network]
    seen: list[str] = field(default_factory=list)
    total: int = 0

    def look_at(self, frame: bytes) -> None:
        """Note a frame if it is from or to a watched range."""
        self.total += 1
        kind = int.from_bytes(frame[12:14])
        if kind == _ETH_P_IP and len(frame) >= 34:
            source, target = frame[26:30], frame[30:34]
        elif kind == _ETH_P_ARP and len(frame) >= 42:
            source, target = frame[28:32], frame[38:42]
        else:
            return
        ends = IPv4Address(source), IPv4Address(target)
        if any(end in network for end in ends for network in self.ranges):
            self.seen.append(f"{kind:#06x} {ends[0]} > {ends[1]}")


@contextmanager
def watch_interface(
    name: str, ranges: Sequence[IPv4Network]
) -> Iterator[PacketWitness]:
    """Look at all packets that enter or leave by an interface meanwhile."""
    witness = PacketWitness(ranges)
    done = threading.Event()
    with socket.socket(
        socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)
    ) as tap:
        tap.bind((name, _ETH_P_ALL))
        tap.settimeout(0.1)
        thread = threading.Thread(target=_listen, args=(tap, witness, done))
        thread.start()
        try:
            yield witness
        finally:
            done.set()
            thread.join()


def _listen(tap: socket.socket, witness: PacketWitness, done: threading.Event) -> None:
    while not done.is_set():
        try:
            witness.look_at(tap.recv(2048))
        except TimeoutError:
            continue


def find_default_interface() -> str:
    """Return the interface of the machine's default route."""
    with Path("/proc/net/route").open() as table:
        for line in table.readlines()[1:]:
            interface, destination, _, flags, *_ = line.split()
            if destination == "00000000" and int(flags, 16) & 1:
                return interface
    raise LookupError("this machine has no default route")
