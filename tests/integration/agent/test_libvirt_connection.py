"""The connection to a real libvirtd, when answers come late."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import libvirt
import pytest

from kilonova_agent.drivers.base import DriverUnavailable
from kilonova_agent.drivers.libvirt import connection as module
from kilonova_agent.drivers.libvirt.connection import LibvirtConnection
from kilonova_api.kube.clock import SystemClock
from support.libvirt_host import LibvirtHost
from support.waiting import until


@contextlib.asynccontextmanager
async def running(host: LibvirtHost) -> AsyncIterator[LibvirtConnection]:
    """Run a connection to a host until the body ends."""
    connection = LibvirtConnection(host.uri, clock=SystemClock(), random=Random(1))
    task = asyncio.create_task(connection.run())
    try:
        yield connection
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def count_sockets() -> int:
    """Count this process's open sockets; each connection holds one."""
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += str(entry.readlink()).startswith("socket:")
    return count


async def test_a_connection_that_opens_too_late_is_closed(
    own_host: LibvirtHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OPEN_TIMEOUT_SECONDS", 1.0)
    opened: list[int] = []
    open_really = libvirt.open

    def note_open(uri: str) -> libvirt.virConnect:
        opened.append(1)
        return open_really(uri)

    monkeypatch.setattr(libvirt, "open", note_open)
    before = count_sockets()
    os.kill(own_host.libvirtd_pid, signal.SIGSTOP)
    try:
        async with running(own_host) as connection:
            await until(lambda: len(opened) > 1, "it is opened again")
            os.kill(own_host.libvirtd_pid, signal.SIGCONT)
            await until(lambda: connection.available, "connected")
            await until(
                lambda: count_sockets() == before + 1, "one socket", timeout_seconds=10
            )
    finally:
        os.kill(own_host.libvirtd_pid, signal.SIGCONT)
    await until(lambda: count_sockets() == before, "no socket", timeout_seconds=10)


async def test_a_late_timeout_of_an_old_connection_leaves_the_new_one(
    host: LibvirtHost,
) -> None:
    release = threading.Event()

    def hang(_connection: libvirt.virConnect) -> None:
        release.wait(30)

    opens: list[int] = []
    async with running(host) as connection:
        connection.listen(on_domain=lambda _: None, on_open=lambda: opens.append(1))
        await until(lambda: len(opens) == 1, "it is opened")
        late = asyncio.create_task(connection.call(hang, timeout_seconds=3.0))
        with pytest.raises(DriverUnavailable):
            await connection.call(hang, timeout_seconds=0.1)
        await until(lambda: len(opens) == 2, "it is opened again")

        with pytest.raises(DriverUnavailable):
            await late
        release.set()

        # The loop has had its turns: a dropped connection would be opened anew.
        assert await connection.call(lambda c: c.isAlive()) == 1
        with pytest.raises(AssertionError, match="not so"):
            await until(lambda: len(opens) > 2, "a third", timeout_seconds=2)


async def test_calls_that_hang_hold_neither_a_new_connection_nor_its_calls(
    host: LibvirtHost,
) -> None:
    release = threading.Event()

    def hang(_connection: libvirt.virConnect) -> None:
        release.wait(60)

    opens: list[int] = []
    before = count_sockets()
    async with running(host) as connection:
        connection.listen(on_domain=lambda _: None, on_open=lambda: opens.append(1))
        await until(lambda: connection.available, "connected")
        calls = [
            connection.call(hang, timeout_seconds=1.0) for _ in range(module.CALLS)
        ]
        # One more waits for a slot: it is not begun once nobody waits for it.
        late = connection.call(lambda c: c.isAlive(), timeout_seconds=1.0)
        results = await asyncio.gather(*calls, late, return_exceptions=True)
        assert [type(result) for result in results] == [DriverUnavailable] * 9

        await until(lambda: connection.available, "connected")
        together = [connection.call(lambda c: c.isAlive()) for _ in range(20)]
        assert await asyncio.gather(*together) == [1] * 20

        assert len(opens) == 2
        await until(
            lambda: count_sockets() == before + 1, "one socket", timeout_seconds=10
        )
        release.set()


async def test_no_connection_is_tried_while_too_many_calls_hang(
    host: LibvirtHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_THREADS", 2)
    opens: list[str] = []
    open_really = libvirt.open

    def note_open(uri: str) -> libvirt.virConnect:
        opens.append(uri)
        return open_really(uri)

    monkeypatch.setattr(libvirt, "open", note_open)
    release = threading.Event()

    def hang(_connection: libvirt.virConnect) -> None:
        release.wait(60)

    async with running(host) as connection:
        await until(lambda: connection.available, "connected")
        calls = [connection.call(hang, timeout_seconds=0.2) for _ in range(2)]
        await asyncio.gather(*calls, return_exceptions=True)
        with pytest.raises(AssertionError, match="not so"):
            await until(lambda: connection.available, "connected", timeout_seconds=2)
        assert opens == [host.uri]

        release.set()

        await until(lambda: connection.available, "connected")
