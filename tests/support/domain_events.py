"""What libvirt says of its domains: the proof that nobody touched any."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import libvirt

from kilonova_lab.node import Node

_TURN_MILLISECONDS = 100
_NAMES = {
    getattr(libvirt, name): name.removeprefix("VIR_DOMAIN_EVENT_")
    for name in (
        "VIR_DOMAIN_EVENT_DEFINED",
        "VIR_DOMAIN_EVENT_UNDEFINED",
        "VIR_DOMAIN_EVENT_STARTED",
        "VIR_DOMAIN_EVENT_SUSPENDED",
        "VIR_DOMAIN_EVENT_RESUMED",
        "VIR_DOMAIN_EVENT_STOPPED",
        "VIR_DOMAIN_EVENT_SHUTDOWN",
        "VIR_DOMAIN_EVENT_CRASHED",
    )
}


@dataclass(slots=True)
class DomainEvents:
    """Lifecycle events of all domains of some hosts, as ``uuid EVENT``."""

    heard: list[str] = field(default_factory=list)

    def note(self, _: Any, domain: libvirt.virDomain, event: int, *__: Any) -> None:
        """Be libvirt's callback."""
        self.heard.append(f"{domain.UUIDString()} {_NAMES.get(event, event)}")


@contextmanager
def hearing_domains(hosts: Sequence[Node]) -> Iterator[DomainEvents]:
    """Hear what happens to the domains of these hosts."""
    events, over = DomainEvents(), threading.Event()
    libvirt.virEventRegisterDefaultImpl()
    # Without a timer the loop would wait for the next event for ever.
    timer = libvirt.virEventAddTimeout(_TURN_MILLISECONDS, lambda *_: None, None)

    def turn() -> None:
        while not over.is_set():
            libvirt.virEventRunDefaultImpl()

    thread = threading.Thread(target=turn, daemon=True)
    connections = [libvirt.open(host.libvirt_uri) for host in hosts]
    for connection in connections:
        lifecycle = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
        connection.domainEventRegisterAny(None, lifecycle, events.note, None)
    thread.start()
    try:
        yield events
    finally:
        over.set()
        thread.join()
        libvirt.virEventRemoveTimeout(timer)
        for connection in connections:
            connection.close()
