"""libvirt's own event loop, which delivers events and keeps connections alive.

libvirt takes one loop per process, before the first connection, for good. It
runs in a daemon thread: its callbacks must only hand over to another loop.
"""

import functools
import threading

import libvirt


@functools.cache
def ensure_event_loop() -> threading.Thread:
    """Start libvirt's event loop once in this process."""
    libvirt.virEventRegisterDefaultImpl()
    # Errors come back as exceptions; without this libvirt prints each to stderr too.
    libvirt.registerErrorHandler(_ignore, None)
    thread = threading.Thread(target=_run, name="libvirt-events", daemon=True)
    thread.start()
    return thread


def _run() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def _ignore(_context: object, _error: object) -> None:
    """Take libvirt's error report; the exception carries the same words."""
