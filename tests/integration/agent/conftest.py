"""Fixtures of the agent's tests: a real hypervisor host, and a driver on it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import pytest

from kilonova_agent.drivers.libvirt.driver import LibvirtDriver
from kilonova_api.kube.clock import SystemClock
from kilonova_lab.controlplane import ControlPlane
from support.agent_lab import AgentLab, agent_lab
from support.libvirt_host import LibvirtHost
from support.operator_run import apply_crds
from support.waiting import until

Pair = tuple[AgentLab, AgentLab]


@pytest.fixture(scope="session")
def shared_host() -> Iterator[LibvirtHost]:
    """One hypervisor host for the tests that leave it as they found it."""
    with LibvirtHost("hv1") as host:
        yield host


@pytest.fixture
def host(shared_host: LibvirtHost) -> Iterator[LibvirtHost]:
    """The shared host, without any guest or network of the last test."""
    yield shared_host
    shared_host.clear()


@pytest.fixture
def own_host() -> Iterator[LibvirtHost]:
    """A hypervisor host that this test may break."""
    with LibvirtHost("hv2") as host:
        yield host


def make_driver(host: LibvirtHost) -> LibvirtDriver:
    """Build a driver for a host; its ``run`` is not running yet."""
    return LibvirtDriver(
        host.uri,
        state_dir=host.state_dir,
        virt_type="qemu",
        clock=SystemClock(),
        random=Random(1),
    )


@contextlib.asynccontextmanager
async def running(driver: LibvirtDriver) -> AsyncIterator[LibvirtDriver]:
    """Run a driver and wait until it is connected."""
    task = asyncio.create_task(driver.run())
    try:
        await until(lambda: driver.available, "connected")
        yield driver
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def driver(host: LibvirtHost) -> AsyncIterator[LibvirtDriver]:
    """A connected driver on the shared host."""
    async with running(make_driver(host)) as driver:
        yield driver


@contextlib.asynccontextmanager
async def known_host(
    control_plane: ControlPlane, host: LibvirtHost, folder: Path
) -> AsyncIterator[AgentLab]:
    """Give a host that the API server knows; no agent runs yet."""
    async with agent_lab(control_plane, host, folder) as lab:
        await apply_crds(lab.kube)
        await lab.make_host()
        yield lab


@contextlib.asynccontextmanager
async def accepted_host(
    control_plane: ControlPlane, host: LibvirtHost, folder: Path
) -> AsyncIterator[AgentLab]:
    """Give a host whose agent runs and whose identity is accepted."""
    async with known_host(control_plane, host, folder) as lab:
        lab.start_agent()
        await lab.accept_host()
        yield lab


@pytest.fixture
async def idle_lab(
    control_plane: ControlPlane, host: LibvirtHost, tmp_path: Path
) -> AsyncIterator[AgentLab]:
    """A host that the API server knows; no agent runs yet."""
    async with known_host(control_plane, host, tmp_path) as lab:
        yield lab


@pytest.fixture
async def lab(
    control_plane: ControlPlane, host: LibvirtHost, tmp_path: Path
) -> AsyncIterator[AgentLab]:
    """A host with its agent."""
    async with accepted_host(control_plane, host, tmp_path) as lab:
        yield lab


@pytest.fixture
async def own_lab(
    own_control_plane: ControlPlane, host: LibvirtHost, tmp_path: Path
) -> AsyncIterator[AgentLab]:
    """A host with its agent, on an API server that this test may break."""
    async with accepted_host(own_control_plane, host, tmp_path) as lab:
        yield lab


@pytest.fixture
async def own_host_lab(
    control_plane: ControlPlane, own_host: LibvirtHost, tmp_path: Path
) -> AsyncIterator[AgentLab]:
    """A host with its agent, whose libvirtd this test may break."""
    async with accepted_host(control_plane, own_host, tmp_path) as lab:
        yield lab


@pytest.fixture
async def pair(
    control_plane: ControlPlane,
    host: LibvirtHost,
    own_host: LibvirtHost,
    tmp_path: Path,
) -> AsyncIterator[Pair]:
    """Two accepted hosts on one API server."""
    async with contextlib.AsyncExitStack() as ends:
        labs = []
        for number, machine in enumerate((host, own_host)):
            folder = tmp_path / str(number)
            folder.mkdir()
            labs.append(
                await ends.enter_async_context(
                    accepted_host(control_plane, machine, folder)
                )
            )
        yield labs[0], labs[1]
