"""From a Server's creation to its domain, and to the guest's own word."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import libvirt

from bench.lab import BenchLab, say, wait_until
from kilonova_lab.images.guest import READY_LINE

_EVENT_TIMEOUT_MILLISECONDS = 100


@dataclass(slots=True)
class StartedEvents:
    """When libvirt said STARTED, by uuid, in seconds since the epoch."""

    at: dict[str, float] = field(default_factory=dict)

    def note(self, _: Any, domain: libvirt.virDomain, event: int, *__: Any) -> None:
        """Be libvirt's callback for lifecycle events."""
        if event == libvirt.VIR_DOMAIN_EVENT_STARTED:
            self.at.setdefault(domain.UUIDString(), time.time())


@contextmanager
def listen(lab: BenchLab) -> Iterator[StartedEvents]:
    """Hear the lifecycle events of all hosts."""
    events, over = StartedEvents(), threading.Event()
    libvirt.virEventRegisterDefaultImpl()
    # Without a timer the loop would wait for the next event for ever.
    libvirt.virEventAddTimeout(_EVENT_TIMEOUT_MILLISECONDS, lambda *_: None, None)

    def turn() -> None:
        while not over.is_set():
            libvirt.virEventRunDefaultImpl()

    thread = threading.Thread(target=turn, daemon=True)
    connections = [libvirt.open(n.libvirt_uri) for n in lab.cluster.hypervisors]
    for connection in connections:
        connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, events.note, None
        )
    thread.start()
    try:
        yield events
    finally:
        over.set()
        thread.join()
        for connection in connections:
            connection.close()


def measure_boot(lab: BenchLab, *, servers: int = 30) -> dict[str, Any]:
    """Let Servers boot one after another, each deleted before the next.

    The start is when the API server got the create (its audit log: the object's
    own stamp has whole seconds only). ``apply_to_domain``: until libvirt's
    STARTED event; ``guest_ready``: until the guest's line on its serial port.
    """
    domains, guests = [], []
    with listen(lab) as events:
        for name in ("warm-0", "warm-1"):  # the image comes to every host
            lab.create(name)
        for name in ("warm-0", "warm-1"):
            lab.await_ready(name)
        for name in ("warm-0", "warm-1"):
            lab.delete(name)
        for number in range(servers):
            to_domain, to_guest = _boot(lab, f"b{number}", events)
            say(f"{to_domain:6.2f} s to the domain, {to_guest:6.2f} s to the guest")
            domains.append(to_domain)
            guests.append(to_guest)
    return {
        "servers": servers,
        "apply_to_domain_p50_s": round(statistics.median(domains), 3),
        "apply_to_domain_p95_s": round(_percentile(domains, 95), 3),
        "guest_ready_p50_s": round(statistics.median(guests), 3),
    }


def _boot(lab: BenchLab, name: str, events: StartedEvents) -> tuple[float, float]:
    offset = lab.cluster.audit_log.stat().st_size
    lab.create(name)
    status = lab.await_ready(name)
    created = wait_until(lambda: _find_creation(lab, name, offset), "audit event")
    started = wait_until(lambda: events.at.get(status["uuid"]), "STARTED event")
    log = lab.guest_folder(status) / "console.log"

    def ready() -> float | None:
        try:
            said = log.read_bytes()
        except FileNotFoundError:
            return None
        return time.time() if READY_LINE.encode() in said else None

    guest = wait_until(ready, f"guest of {name}")
    lab.delete(name)
    return started - created, guest - created


def _find_creation(lab: BenchLab, name: str, offset: int) -> float | None:
    with lab.cluster.audit_log.open("rb") as lines:
        lines.seek(offset)
        for line in lines:
            event = json.loads(line)
            target = event.get("objectRef", {})
            wanted = ("create", "servers", lab.namespace)
            found = (event["verb"], target.get("resource"), target.get("namespace"))
            # A create is audited without a name; servers come one at a time.
            if found == wanted and target.get("name", name) == name:
                stamp = event["requestReceivedTimestamp"]
                return datetime.fromisoformat(stamp).timestamp()
    return None


def _percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
